// Parity P of the fused plan: what its operations must move and compute, against rooflines. Prints ResNet-50's training step by
// kind of operation in bytes of DRAM and flops an image, and the images a second that three GPUs' memory and tensor
// cores allow, operation by operation; then compares with an independent count of the network (He et al. 2016's v1.5, 16
// bits, weights neglected) and exits with 1 where they differ by more than `tolerance`. In both the convolution that makes one
// part of a gradient adds the other.
//   test_roofline
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "backends/fused/recipe.h"
#include "base/error.h"
#include "net/resnet.h"

namespace {

using namespace convoy;
using fused::Id;
using fused::Instruction;
using fused::Recipe;

constexpr int images = 250;  // no filter has as many outputs, so a map is known by them
constexpr double tolerance = 0.03;

struct Work {
  double bytes = 0, flops = 0;  // of one image
  Work& operator+=(const Work& other) {
    bytes += other.bytes;
    flops += other.flops;
    return *this;
  }
};

// Batch norm either reads its maps twice (once for the sums) or keeps them on the chip in between.
class Count {
 public:
  Count(const Recipe& recipe, int norm_passes) : recipe_(recipe), passes_(norm_passes) {}

  Work of(const fused::Operation& operation) const {
    Work work;
    for (const Id id : reads(operation)) work.bytes += map_bytes(id);
    for (const Id id : writes(operation)) work.bytes += map_bytes(id);
    std::visit([&](const auto& op) { add(op, work); }, operation);
    work.bytes /= images;
    work.flops /= images;
    return work;
  }

 private:
  const fused::Tensor& at(Id id) const { return recipe_.tensors[static_cast<size_t>(id)]; }
  double map_bytes(Id id) const {  // vectors, weights and what is absent weigh nothing
    return id < 0 || at(id).n != images ? 0 : static_cast<double>(at(id).bytes());
  }
  void add_conv(Id w, Id y, Work& work) const {  // multiply-adds: every output by its window of weights
    work.flops +=
        2.0 * static_cast<double>(at(y).elements()) * static_cast<double>(at(w).elements()) / at(w).n;
  }
  void add(const fused::ConvForward& op, Work& work) const { add_conv(op.w, op.y, work); }
  void add(const fused::ConvBackwardData& op, Work& work) const { add_conv(op.w, op.dy, work); }
  void add(const fused::ConvBackwardWeights& op, Work& work) const { add_conv(op.dw, op.dy, work); }
  void add(const fused::ConvStatistics& op, Work& work) const { add_conv(op.w, op.y, work); }
  void add(const fused::ConvBackwardNorm& op, Work& work) const { add_conv(op.w, op.dy, work); }
  void add(const fused::NormForward& op, Work& work) const { work.bytes += (passes_ - 1) * map_bytes(op.x); }
  void add(const fused::NormBackward& op, Work& work) const {
    for (const Id id : {op.x, op.dy, op.mask}) work.bytes += (passes_ - 1) * map_bytes(id);
  }
  template <class Own>
  void add(const Own&, Work&) const {}

  const Recipe& recipe_;
  int passes_;
};

struct Gpu {
  const char* name;
  double bytes_a_second, flops_a_second;  // copies and matrix products as measured, not as on the data sheet
};
constexpr Gpu gpus[] = {{"H100", 3.0e12, 650e12}, {"H200", 4.3e12, 650e12}, {"A100", 1.8e12, 250e12}};

struct Expected {
  fused::Fusion fusion;
  int passes;
  double megabytes;
  double images_a_second[3];  // by Gpu
};
// The independent count's: 24.30 GFLOP an image; MB an image; each operation bound by its bytes or its flops. That of
// main-loop fusion lets the convolution above a residual make its sum, which this plan does not: it reads the map again.
constexpr double expected_gflop = 24.30;
constexpr Expected expected[] = {{fused::Fusion::norms, 2, 348, {7810, 10300, 4210}},
                                 {fused::Fusion::norms, 1, 280, {9490, 12300, 5000}},
                                 {fused::Fusion::main_loop, 1, 268, {9950, 12930, 5250}}};

// The sums of residuals that a convolution reads: of all blocks but the last; bytes of one image in 16 bits.
double residual_bytes(const Graph& graph) {
  double bytes = 0, last = 0;
  for (const Node& node : graph.nodes)
    if (std::holds_alternative<Add>(node.op)) {
      bytes += last;
      last = 2.0 * static_cast<double>(node.shape.elements());
    }
  return bytes;
}

bool agrees(const std::string& what, double found, double wanted) {
  const bool good = std::abs(found - wanted) <= tolerance * wanted;
  fmt::print("  {:<44} {:>9.4g}   independent count {:>9.4g}   {:+.1f} %{}\n", what, found, wanted,
             100 * (found / wanted - 1), good ? "" : "   DIFFERS");
  return good;
}

bool compare(const Program& program, Arena& arena, const Expected& wanted) {
  const bool main_loop = wanted.fusion == fused::Fusion::main_loop;
  const Recipe recipe = fused::plan(program, arena, {}, Precision::fp16, 8, wanted.fusion);
  const double again = main_loop ? residual_bytes(program.graph) : 0;
  const Count count(recipe, wanted.passes);
  std::map<std::string, Work> kinds;
  Work total;
  double seconds[std::size(gpus)] = {};
  for (const Instruction& instruction : recipe.body) {
    const Work work = count.of(instruction.operation);
    kinds[name_of(instruction.operation)] += work;
    total += work;
    for (size_t g = 0; g < std::size(gpus); ++g)
      seconds[g] += std::max(work.bytes / gpus[g].bytes_a_second, work.flops / gpus[g].flops_a_second);
  }
  fmt::print("batch norm in {} pass{} over memory{}\n", wanted.passes, wanted.passes == 1 ? "" : "es",
             main_loop ? ", in the convolutions' main loops where they take it" : "");
  for (const auto& [kind, work] : kinds)
    if (work.bytes > 1e4)
      fmt::print("  {:<24} {:>8.1f} MB   {:>8.2f} GFLOP an image\n", kind, work.bytes / 1e6,
                 work.flops / 1e9);
  fmt::print("  together:\n");
  bool good = agrees("MB an image", total.bytes / 1e6, wanted.megabytes + again / 1e6);
  good &= agrees("GFLOP an image", total.flops / 1e9, expected_gflop);
  for (size_t g = 0; g < std::size(gpus); ++g)
    good &= agrees(fmt::format("images a second on {} at the roofline", gpus[g].name), 1 / seconds[g],
                   1 / (1 / wanted.images_a_second[g] + again / gpus[g].bytes_a_second));
  return good;
}

}  // namespace

int main() try {
  const Graph graph = resnet({});
  const Program program = lower(graph, images);
  Arena arena(graph, program.layout, 0);
  fmt::print("{}: the training step of {} images, 16 bits\n", graph.name, images);
  bool good = true;
  for (const Expected& one : expected) good &= compare(program, arena, one);
  fmt::print("roofline: {}\n", good ? "all passed" : "the plan is not what the independent count says");
  return good ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "test_roofline: %s\n", error.what());
  return 1;
}
