// test_replay PRECISION JOB.toml OUT: trains a small network by the job, with the program's own parser, schedule and
// optimizer and the reference backend in PRECISION (float or double), and writes what replay.py needs to compute every
// weight again: OUT.json names the parameters and gives each step's rate; OUT.bin holds doubles, all parameters in this
// order: the weights at the start, then for each step the gradient (the sum over the workers) and the new weights.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backends/common/host_vector.h"
#include "backends/reference/machine.h"
#include "base/error.h"
#include "base/random.h"
#include "train/optimizer.h"

namespace convoy {
namespace {

constexpr Shape image{3, 8, 8};
constexpr int classes = 4;
constexpr int64_t samples = 16;  // with 3 workers of 4 images, 20 steps are 15 epochs

// A batch norm's gamma and beta, convolution and classifier biases, and weights: every role.
Graph small_graph() {
  const Init normal{Init::Kind::normal, 0.2f}, bias{Init::Kind::constant, 0.1f};
  GraphBuilder b("replay", image);
  int x = b.conv("conv1", 0, {.outputs = 6, .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}}, normal);
  x = b.relu("relu1", b.batchnorm("bn1", x, {}));
  x = b.conv("conv2", x, {.outputs = 6, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}, .bias = true},
             normal, bias);
  x = b.batchnorm("bn2", b.relu("relu2", x), {});  // not before the ReLU: conv2's bias would have no gradient
  x = b.pool("pool", x, {.kind = Pool::Kind::average, .kernel = {2, 2}, .stride = {2, 2}});
  x = b.linear("fc", x, {.outputs = classes}, normal);  // its bias starts at zero
  b.softmax_loss("loss", x, 0.0f);
  return b.finish();
}

struct Minibatch {
  std::vector<float> pixels;
  std::vector<int32_t> labels;
  Minibatch(int64_t step, int worker, int images) {
    const Random random(3, stream_of("replay", static_cast<uint64_t>(step * 1000 + worker)));
    for (int i = 0; i < images; ++i) labels.push_back((static_cast<int>(step) + worker + i) % classes);
    for (uint64_t e = 0; e < static_cast<uint64_t>(images * image.elements()); ++e)
      pixels.push_back(static_cast<float>(unit(random.bits(e)) - 0.5) +
                       0.25f * static_cast<float>(labels[e / static_cast<uint64_t>(image.elements())]));
  }
};

const char* name_of(Role role) {
  return role == Role::weight ? "weight" : role == Role::bias ? "bias" : "norm";
}

template <class T>
void write(std::ostream& out, const Graph& graph, const Layout& layout, std::span<const T> flat) {
  for (size_t p = 0; p < graph.params.size(); ++p)
    for (int64_t i = 0; i < graph.params[p].elements(); ++i) {
      const auto value = static_cast<double>(flat[static_cast<size_t>(layout.param_offset[p] + i)]);
      out.write(reinterpret_cast<const char*>(&value), sizeof value);
    }
}

template <class T>
void dump(const Experiment& experiment, const std::string& to) {
  const Graph graph = small_graph();
  const Program program = lower(graph, experiment.minibatch.images);
  const Optimizer optimizer = make_optimizer(experiment.optimizer);
  ArenaOf<T> arena(graph, program.layout, optimizer_states(optimizer));
  arena.initialize(experiment.train.seed);
  reference::Machine<T> machine(program, arena, 1);
  HostVectorOf<T> vector(1);
  const Schedule schedule(experiment, samples);
  const int workers = experiment.minibatch.workers;

  nlohmann::json facts{{"workers", workers}, {"states", arena.states()}};
  for (const Param& param : graph.params)
    facts["params"].push_back(
        {{"name", param.name}, {"role", name_of(param.role)}, {"count", param.elements()}});
  std::ofstream out(to + ".bin", std::ios::binary);
  write<T>(out, graph, program.layout, arena.weights());
  for (int64_t step = 0; step < schedule.steps(); ++step) {
    std::vector<T> sum(arena.grads().size());
    for (int worker = 0; worker < workers; ++worker) {
      const Minibatch minibatch(step, worker, experiment.minibatch.images);
      machine.train({.images = minibatch.pixels, .labels = minibatch.labels, .step = step, .worker = worker},
                    {});
      std::transform(sum.begin(), sum.end(), arena.grads().begin(), sum.begin(), std::plus<>());
    }
    std::copy(sum.begin(), sum.end(), arena.grads().begin());
    write<T>(out, graph, program.layout, arena.grads());
    update(optimizer, vector, graph, arena, schedule.at(step), T{1} / static_cast<T>(workers));
    write<T>(out, graph, program.layout, arena.weights());
    facts["rates"].push_back(schedule.rate(step));
  }
  require(out.good(), "cannot write {}.bin", to);
  std::ofstream(to + ".json") << facts;
}

}  // namespace
}  // namespace convoy

int main(int count, char** arguments) {
  using namespace convoy;
  try {
    require(count == 4, Exit::usage, "usage: test_replay float|double JOB.toml OUT");
    const Experiment experiment = parse_experiment(arguments[2]);
    if (std::string(arguments[1]) == "double") {
      dump<double>(experiment, arguments[3]);
    } else {
      dump<float>(experiment, arguments[3]);
    }
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "test_replay: {}\n", error.what());
    return static_cast<int>(error.code());
  }
}
