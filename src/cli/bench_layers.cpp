#include "cli/bench_layers.h"

#include <fmt/format.h>

#include <algorithm>

namespace convoy::cli {
namespace {

// Named sums of one round after another, in the order in which their names are first heard.
class Rounds {
 public:
  explicit Rounds(int threads) : threads_(threads) {}

  void begin() { ++rounds_; }
  Benchmark& add(const std::string& name, double seconds) {
    auto found = std::ranges::find(all_, name, &Benchmark::name);
    if (found == all_.end()) found = all_.insert(all_.end(), Benchmark{.name = name});
    found->seconds.resize(rounds_);
    found->seconds.back() += seconds;
    return *found;
  }
  bool first() const { return rounds_ == 1; }

  // Those that took time: the others were fused into another.
  void move_to(std::vector<Benchmark>& times) {
    for (Benchmark& b : all_) {
      if (std::ranges::max(b.seconds) == 0) continue;
      for (const double seconds : b.seconds) b.cpu_seconds.push_back(seconds * threads_);
      times.push_back(std::move(b));
    }
  }

 private:
  int threads_;
  size_t rounds_ = 0;
  std::vector<Benchmark> all_;
};

void add_cost(Benchmark& to, const StepInfo& step) {
  to.flops += static_cast<double>(step.flops);
  to.bytes += static_cast<double>(step.bytes);
}

}  // namespace

std::vector<Benchmark> time_layers(Trial& trial, int rounds, int threads) {
  Rounds layers(threads), kinds(threads), works(threads);
  trial.run();
  for (int i = 0; i < rounds; ++i) {
    // As an update would: making copies of the weights is a step's work, too.
    trial.arena().weights_changed();
    trial.run();
    for (Rounds* view : {&layers, &kinds, &works}) view->begin();
    for (const StepInfo& step : trial.plan().info().steps) {
      const Node& node = trial.program().graph.nodes[static_cast<size_t>(step.node)];
      const char* pass = step.pass == Pass::forward ? "forward" : "backward";
      Benchmark& layer = layers.add(fmt::format("layer/{}/{}", node.name, pass), step.seconds);
      Benchmark& kind = kinds.add(fmt::format("kind/{}/{}", name_of(node.op), pass), step.seconds);
      layer.label = step.implementation;
      if (layers.first()) add_cost(layer, step);
      if (kinds.first()) add_cost(kind, step);
      for (const WorkTime& call : step.calls) works.add("work/" + call.work, call.seconds);
    }
  }
  std::vector<Benchmark> times;
  for (Rounds* view : {&layers, &kinds, &works}) view->move_to(times);
  return times;
}

}  // namespace convoy::cli
