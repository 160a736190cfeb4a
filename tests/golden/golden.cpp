#include "golden.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "base/error.h"
#include "net/alexnet.h"
#include "net/resnet.h"

namespace convoy::golden {
namespace {

// Calls f(element, word) for word i of the stream, i below count.
template <class F>
void for_words(const std::string& purpose, uint64_t step, size_t count, F f) {
  const Random random(seed, stream_of(purpose, step));
  for (size_t begin = 0; begin < count; begin += 4) {
    const Philox4 block = random.block(begin / 4);
    for (size_t i = begin; i < std::min(begin + 4, count); ++i) f(i, block[i - begin]);
  }
}

}  // namespace

const std::array<const char*, 6> networks{"resnet18",         "resnet50-v1", "resnet50-v1.5",
                                          "alexnet-original", "alexnet-bn",  "alexnet-torchvision"};

template <class T>
Summary summarize(const std::string& key, std::span<const T> values) {
  Summary sum;
  double squares = 0;
  for_words("golden signs", 0, values.size(), [&](size_t i, uint32_t word) {
    const auto x = static_cast<double>(values[i]);
    squares += x * x;
    for (size_t j = 0; j < 3; ++j) sum.products[j] += (word >> j & 1) != 0 ? x : -x;
  });
  sum.norm = std::sqrt(squares);
  for_words("golden elements " + key, 0, 4, [&](size_t i, uint32_t word) {
    sum.elements[i] = static_cast<double>(values[word % static_cast<uint32_t>(values.size())]);
  });
  return sum;
}

double relative_error(const Summary& got, const Summary& expected, size_t elements) {
  if (expected.norm == 0.0) return got.norm == 0.0 ? 0.0 : INFINITY;
  double worst = std::abs(got.norm - expected.norm) / expected.norm;
  for (size_t j = 0; j < 3; ++j)
    worst = std::max(worst, std::abs(got.products[j] - expected.products[j]) / expected.norm);
  const double typical = expected.norm / std::sqrt(static_cast<double>(elements));
  for (size_t j = 0; j < 4; ++j) {
    const double against = std::max(std::abs(expected.elements[j]), typical);
    worst = std::max(worst, std::abs(got.elements[j] - expected.elements[j]) / against);
  }
  return std::isnan(got.norm) ? INFINITY : worst;
}

template <class T>
void fill(std::span<T> values, const std::string& name, double base, double scale, int64_t step) {
  for_words("golden " + name, static_cast<uint64_t>(step), values.size(), [&](size_t i, uint32_t word) {
    values[i] = static_cast<T>(base + scale * ((static_cast<double>(word >> 12) - 0x1p19) * 0x1p-19));
  });
}

File::File(const std::string& name) {
  const std::string path = std::string(CONVOY_SOURCE_DIR) + "/tests/golden/" + name + ".json";
  std::ifstream in(path);
  require(in.good(), "cannot open {}; make it with tests/golden/dump.py", path);
  json_ = nlohmann::json::parse(in);
  network_ = json_.at("network");
}

Graph File::graph() const {
  const int classes = json_.at("classes"), input = json_.at("input");
  const float smoothing = json_.at("smoothing"), dropout = json_.at("dropout");
  if (network_.starts_with("resnet")) {
    ResnetOptions options;
    options.depth = network_ == "resnet18" ? 18 : 50;
    options.variant = network_ == "resnet50-v1" ? ResnetOptions::Variant::v1 : ResnetOptions::Variant::v1_5;
    options.classes = classes;
    options.input = input;
    options.label_smoothing = smoothing;
    return resnet(options);
  }
  AlexnetOptions options;
  options.kind = network_ == "alexnet-original" ? AlexnetOptions::Kind::original
                 : network_ == "alexnet-bn"     ? AlexnetOptions::Kind::bn
                                                : AlexnetOptions::Kind::torchvision;
  options.classes = classes;
  options.input = input;
  options.dropout = dropout;
  options.label_smoothing = smoothing;
  return alexnet(options);
}

Summary File::summary(const nlohmann::json& table, const std::string& key) {
  const auto& numbers = table.at(key);
  Summary summary{numbers[0], {}, {}};
  for (size_t j = 0; j < 3; ++j) summary.products[j] = numbers[1 + j];
  for (size_t j = 0; j < 4; ++j) summary.elements[j] = numbers[4 + j];
  return summary;
}

template <class T>
void File::start(ArenaOf<T>& arena, const Graph& graph) const {
  const auto& specs = json_.at("parameters");
  require(specs.size() == graph.params.size(), "{}: the golden file has {} parameters, the network {}",
          network_, specs.size(), graph.params.size());
  for (size_t p = 0; p < graph.params.size(); ++p) {
    const std::string& name = graph.params[p].name;
    const auto& spec = specs.at(name);
    fill(arena.param(static_cast<int>(p)), name, spec[0].template get<double>(),
         spec[1].template get<double>());
  }
  for (size_t s = 0; s < graph.stats.size(); ++s)
    for (T& value : arena.stat(static_cast<int>(s))) value = graph.stats[s].initial;
  for (int i = 0; i < arena.states(); ++i)
    for (T& value : arena.state(i)) value = T{0};
  arena.weights_changed();
}

Minibatch File::minibatch(int64_t step) const {
  Minibatch made;
  const size_t count = json_.at("images"), size = json_.at("input");
  const uint32_t classes = json_.at("classes");
  made.images.resize(count * 3 * size * size);
  fill<float>(made.images, "images", 0.0, 2.0, step);
  for_words("golden labels", static_cast<uint64_t>(step), count,
            [&](size_t, uint32_t word) { made.labels.push_back(static_cast<int32_t>(word % classes)); });
  made.batch = {.images = made.images, .labels = made.labels, .seed = seed, .step = step};
  return made;
}

template <class T>
std::vector<double> File::moved(ArenaOf<T>& arena, const Graph& graph, size_t p) const {
  const std::span<T> now = arena.param(static_cast<int>(p));
  std::vector<double> start(now.size());
  const auto& spec = json_.at("parameters").at(graph.params[p].name);
  fill<double>(start, graph.params[p].name, spec[0].template get<double>(), spec[1].template get<double>());
  for (size_t i = 0; i < start.size(); ++i) start[i] = static_cast<double>(now[i]) - start[i];
  return start;
}

Optimizer optimizer_of(const nlohmann::json& json) {
  OptimizerOptions options;
  options.kind = json.at("kind");
  options.variant = json.value("variant", "paper");
  options.convention = json.value("convention", "outside");
  set_variant_defaults(options);
  options.momentum = json.at("momentum");
  options.weight_decay = json.at("decay");
  options.decay_norm = json.at("decay_norm");
  options.nesterov = json.value("nesterov", false);
  options.trust = json.value("trust", options.trust);
  options.momentum_correction = false;
  return make_optimizer(options);
}

template Summary summarize<float>(const std::string&, std::span<const float>);
template Summary summarize<double>(const std::string&, std::span<const double>);
template void fill<float>(std::span<float>, const std::string&, double, double, int64_t);
template void fill<double>(std::span<double>, const std::string&, double, double, int64_t);
template void File::start<float>(ArenaOf<float>&, const Graph&) const;
template void File::start<double>(ArenaOf<double>&, const Graph&) const;
template std::vector<double> File::moved<float>(ArenaOf<float>&, const Graph&, size_t) const;
template std::vector<double> File::moved<double>(ArenaOf<double>&, const Graph&, size_t) const;

}  // namespace convoy::golden
