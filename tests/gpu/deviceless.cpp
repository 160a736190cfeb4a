// Has cuDNN an engine for every library operation that the planner writes, on devices that are not here? It asks cuDNN itself
// about ResNet-50 and the three AlexNets, training and inference, and about ResNet-50 and 18 with main-loop fusion in fp16.
// One line for a device and a precision; what has none is named with its operation, device and precision, and the exit
// code is 1.
//   test_deviceless FOLDER_OF_DEVICES [--build] [--all]
//     --build       also builds the plan of one convolution of each kind
//     --all         minibatches of 32 on every device; else on the H100 alone, and of 256 on all
//   test_deviceless FOLDER_OF_DEVICES --self-test    plants operations that have no engine, and wants them named
// It needs cuDNN and, for the engines that are compiled when they are needed, a libcuda.so.1: CUDA's stub does.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <variant>

#include "backends/cudnn/graphs.h"
#include "backends/cudnn/operands.h"
#include "backends/fused/recipe.h"
#include "base/error.h"
#include "net/alexnet.h"
#include "net/resnet.h"

namespace {

using namespace convoy;
using cudnn::Demands;
using cudnn::Target;

struct Device {
  std::string name;
  Target target;
};

std::vector<Device> read_devices(const std::filesystem::path& folder) {
  std::vector<Device> devices;
  for (const char* name : {"h100", "h200", "a100"}) {
    std::ifstream file(folder / (std::string(name) + ".json"));
    require(file.good(), "{}/{}.json cannot be read: give the folder tests/gpu/devices", folder.string(),
            name);
    devices.push_back({name, {nullptr, {std::istreambuf_iterator<char>(file), {}}}});
  }
  return devices;
}

std::vector<Graph> networks() {
  using Kind = AlexnetOptions::Kind;
  std::vector<Graph> all = {resnet({})};
  for (const Kind kind : {Kind::original, Kind::bn, Kind::torchvision})
    all.push_back(alexnet({.kind = kind}));
  return all;
}

// A library operation with the tensors that it numbers, and the first place where it stands.
struct Case {
  fused::Operation operation;
  std::shared_ptr<const std::vector<fused::Tensor>> tensors;
  std::string place;
};

using Cases = std::map<std::string, Case>;  // by description: each once

void add_cases(const Graph& graph, int images, Mode mode, Precision precision, fused::Fusion fusion,
               Cases& to) {
  const Program program = lower(graph, images, {.mode = mode});
  Arena arena(graph, program.layout, 0);
  const int align = precision == Precision::tf32 || precision == Precision::f32 ? 4 : 8;
  const fused::Recipe recipe = fused::plan(program, arena, {}, precision, align, fusion);
  const auto tensors = std::make_shared<const std::vector<fused::Tensor>>(recipe.tensors);
  for (const fused::Instruction& instruction : recipe.body) {
    if (!fused::is_library(instruction.operation)) continue;
    const int node = program.steps[static_cast<size_t>(instruction.step)].node;
    const std::string place = fmt::format("{} {}", graph.name, graph.nodes[static_cast<size_t>(node)].name);
    to.try_emplace(cudnn::describe(instruction.operation, *tensors),
                   Case{instruction.operation, tensors, place});
  }
}

Cases cases_of(Precision precision, const std::vector<int>& minibatches) {
  Cases cases;
  for (const Graph& graph : networks())
    for (const int images : minibatches)
      for (const Mode mode : {Mode::training, Mode::inference})
        add_cases(graph, images, mode, precision, fused::Fusion::norms, cases);
  return cases;
}

// What main-loop fusion adds to them: its own operations, of both variants' strides and of 3x3 kernels alone.
Cases main_loop_cases(const std::vector<int>& minibatches) {
  Cases cases;
  for (const ResnetOptions& options :
       {ResnetOptions{}, ResnetOptions{.variant = ResnetOptions::Variant::v1, .norm = {}},
        ResnetOptions{.depth = 18, .norm = {}}})
    for (const int images : minibatches)
      add_cases(resnet(options), images, Mode::training, Precision::fp16, fused::Fusion::main_loop, cases);
  std::erase_if(cases, [](const auto& named) {
    const auto* weights = std::get_if<fused::ConvBackwardWeights>(&named.second.operation);
    return !std::holds_alternative<fused::ConvStatistics>(named.second.operation) &&
           !std::holds_alternative<fused::ConvBackwardNorm>(named.second.operation) &&
           (weights == nullptr || weights->scale < 0);
  });
  return cases;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int missing(const Cases& cases, const Device& device, Precision precision, bool repeatable,
            const char* what = "") {
  const auto start = std::chrono::steady_clock::now();
  int without = 0;
  size_t workspace = 0;
  std::string largest;
  for (const auto& [text, one] : cases) {
    const cudnn::Survey found = survey(one.operation, *one.tensors,
                                       {.precision = precision, .repeatable = repeatable}, device.target, 1);
    if (found.engines.empty()) {
      ++without;
      fmt::print("MISSING on {} in {}{}: {} ({}): {}\n", device.name, name_of(precision),
                 repeatable ? ", repeatable" : "", text, one.place, found.reason);
    } else if (found.engines[0].workspace_bytes > workspace) {
      workspace = found.engines[0].workspace_bytes;
      largest = one.place;
    }
  }
  fmt::print("{} {}{}{}: {} of {} operations have an engine; largest workspace {:.1f} MB ({}); {:.1f} s\n",
             device.name, name_of(precision), what, repeatable ? ", repeatable" : "",
             cases.size() - static_cast<size_t>(without), cases.size(), static_cast<double>(workspace) / 1e6,
             largest, seconds_since(start));
  std::fflush(stdout);
  return without;
}

// Those that cuDNN has compiled kernels for: it compiles batch norm's, and what follows a convolution, when they are needed,
// and loads them with a driver that is not here.
bool is_precompiled(const fused::Operation& operation) {
  if (const auto* conv = std::get_if<fused::ConvForward>(&operation))
    return conv->scale < 0 && conv->shift < 0 && conv->addend < 0 && !conv->relu;
  return fused::is_library(operation) && !std::holds_alternative<fused::NormForward>(operation) &&
         !std::holds_alternative<fused::NormBackward>(operation);
}

bool adds(const fused::Operation& operation) {
  const auto* data = std::get_if<fused::ConvBackwardData>(&operation);
  return data != nullptr && data->adds;
}

// The first plan of each of `kinds` kinds of convolution; those that add to a gradient are a kind of their own.
void build_some(const Cases& cases, const Device& device, Precision precision, size_t kinds) {
  std::set<std::pair<size_t, bool>> built;
  for (const auto& [text, one] : cases) {
    if (!is_precompiled(one.operation) || !built.insert({one.operation.index(), adds(one.operation)}).second)
      continue;
    const auto plan =
        build(one.operation, *one.tensors, {.precision = precision, .repeatable = true}, device.target);
    const std::string serialized = plan->serialize();
    ensure(serialized.size() > 2 && serialized.front() == '{');
    require(adds(one.operation) == (serialized.find("\"beta\":1") != std::string::npos),
            "cuDNN's plan has another factor of what the output held than was asked for: {}", serialized);
    fmt::print("built on {} in {}: {} as {}, {:.1f} MB of workspace, {} bytes on disk\n", device.name,
               name_of(precision), text, plan->engine(), static_cast<double>(plan->workspace_bytes()) / 1e6,
               serialized.size());
  }
  require(built.size() == kinds, "of {} kinds of convolution {} were built on {}", kinds, built.size(),
          device.name);
}

// Batch norm over 7 channels of 16 bits: cuDNN wants multiples of 8. A convolution with sums in bf16: cuDNN has fp16 alone.
Cases planted() {
  std::vector<fused::Tensor> tensors;
  const auto tensor = [&](fused::Type type, int n, int h, int w) {
    tensors.push_back({.name = "planted", .type = type, .n = n, .h = h, .w = w, .c = 7, .channels = 7});
    return static_cast<fused::Id>(tensors.size()) - 1;
  };
  const auto vector = [&] { return tensor(fused::Type::f32, 1, 1, 1); };
  fused::NormForward norm{};
  norm.count = 32;
  norm.x = tensor(fused::Type::f16, 32, 14, 14);
  norm.y = tensor(fused::Type::f16, 32, 14, 14);
  norm.scale = vector();
  norm.shift = vector();
  norm.mean = vector();
  norm.inv_std = vector();
  norm.variance = vector();
  const auto kept = std::make_shared<const std::vector<fused::Tensor>>(tensors);
  Cases cases;
  cases.emplace(cudnn::describe(norm, tensors), Case{norm, kept, "planted"});
  fused::Tensor map{
      .name = "planted", .type = fused::Type::bf16, .n = 32, .h = 14, .w = 14, .c = 64, .channels = 64};
  fused::Tensor filter = map, sums = map;
  filter.n = 64, filter.h = filter.w = 1;
  sums.type = fused::Type::f32, sums.n = sums.h = sums.w = 1;
  const auto others =
      std::make_shared<const std::vector<fused::Tensor>>(std::vector{map, filter, map, sums, sums});
  const fused::ConvStatistics conv{{64, {1, 1}, {1, 1}, {0, 0}, 1, false}, 0, 1, 2, 3, 4};
  cases.emplace(cudnn::describe(conv, *others), Case{conv, others, "planted"});
  return cases;
}

int run(const std::vector<std::string>& arguments) {
  require(!arguments.empty(), Exit::usage,
          "usage: test_deviceless FOLDER_OF_DEVICES [--build] [--all] | --self-test");
  const std::vector<Device> devices = read_devices(arguments[0]);
  const auto asked = [&](const char* option) { return std::ranges::count(arguments, option) > 0; };
  fmt::print("{}\n", cudnn::library_version());
  int without = 0;
  if (asked("--self-test")) {
    for (const Device& device : devices) without += missing(planted(), device, Precision::fp16, false);
    require(without == 2 * static_cast<int>(devices.size()),
            "the planted operations were not missed on every device");
    return 0;
  }
  for (const Precision precision : {Precision::fp16, Precision::bf16, Precision::tf32}) {
    const Cases both = cases_of(precision, {256, 32}), large = cases_of(precision, {256});
    for (const Device& device : devices) {
      const bool all = asked("--all") || device.name == "h100";
      without += missing(all ? both : large, device, precision, true);  // as the backend asks
      if (asked("--build")) build_some(large, device, precision, 4);
    }
  }
  const Cases fusions = main_loop_cases({256, 32});
  for (const Device& device : devices) {
    without += missing(fusions, device, Precision::fp16, true, ", main-loop fusion");
    if (asked("--build")) build_some(fusions, device, Precision::fp16, 3);
  }
  for (const Device& device : devices)
    without += missing(cases_of(Precision::f32, {256}), device, Precision::f32, true);
  return without == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) try {
  return run({words + 1, words + count});
} catch (const std::exception& error) {
  std::fprintf(stderr, "test_deviceless: %s\n", error.what());
  return 1;
}
