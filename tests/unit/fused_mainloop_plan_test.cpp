// What main-loop fusion plans, by its conditions (backends/fused/mainloop.h), and where it falls back.
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "backends/fused/fused.h"
#include "net/resnet.h"

namespace convoy::fused {
namespace {

Recipe recipe_of(const Graph& graph, Fusion fusion = Fusion::main_loop, Mode mode = Mode::training,
                 bool keep_values = false) {
  const Program program = lower(graph, 4, {.mode = mode});
  Arena arena(graph, program.layout, 0);
  return plan(program, arena, {.keep_values = keep_values}, Precision::fp16, 8, fusion);
}

template <class Op>
int count(
    const Recipe& recipe, const std::function<bool(const Op&)>& which = [](const Op&) { return true; }) {
  int found = 0;
  for (const Instruction& instruction : recipe.body)
    if (const auto* op = std::get_if<Op>(&instruction.operation)) found += which(*op) ? 1 : 0;
  return found;
}

std::vector<std::string> names(const Recipe& recipe) {
  std::vector<std::string> all;
  for (const Instruction& instruction : recipe.body) all.emplace_back(name_of(instruction.operation));
  return all;
}

bool fuses(const Recipe& recipe) {
  return count<ConvStatistics>(recipe) + count<ConvBackwardNorm>(recipe) + count<NormFinalize>(recipe) +
             count<NormJoin>(recipe) + count<NormApply>(recipe) >
         0;
}

struct Layer {
  Conv conv{32, {3, 3}, {1, 1}, {1, 1}, 1, false};
  BatchNorm norm{};
  int inputs = 32;
  bool second_reader = false;
};

// A convolution with what the layer says between two that could be part of main loops.
Graph around(const Layer& layer) {
  const Conv point{32, {1, 1}, {1, 1}, {0, 0}, 1, false};
  GraphBuilder g("around", {32, 8, 8});
  Conv below = point;
  below.outputs = layer.inputs;
  int x = g.relu("below.relu", g.batchnorm("below.norm", g.conv("below", 0, below, {}), {}));
  const int conv = g.conv("layer", x, layer.conv, {});
  x = g.relu("layer.relu", g.batchnorm("layer.norm", conv, layer.norm));
  if (layer.second_reader) x = g.add("layer.add", x, conv);
  Conv above = point;
  x = g.relu("above.relu", g.batchnorm("above.norm", g.conv("above", x, above, {}), {}));
  g.linear("fc", x, {10, true}, {});
  return g.finish();
}

}  // namespace

TEST_CASE("main-loop fusion: ResNet-50 v1.5 keeps no normalized map within a block") {
  const Recipe recipe = recipe_of(resnet({}));
  const auto scaled = [](const auto& op) { return op.scale >= 0; };
  CHECK(count<ConvStatistics>(recipe) == 52);  // all but the stem's
  CHECK(count<ConvStatistics>(recipe, scaled) == 32);
  CHECK(count<ConvBackwardWeights>(recipe, scaled) == 32);
  CHECK(count<NormFinalize>(recipe) == 52);
  CHECK(count<NormJoin>(recipe) == 16);
  CHECK(count<NormJoin>(recipe, [](const NormJoin& op) { return op.other.x >= 0; }) == 4);
  CHECK(count<NormJoin>(recipe, [](const NormJoin& op) { return op.mask >= 0; }) ==
        1);  // a pool reads the last
  CHECK(count<ConvBackwardNorm>(recipe) == 47);
  CHECK(count<ConvBackwardNorm>(recipe, [](const ConvBackwardNorm& op) { return op.addend >= 0; }) == 15);
  CHECK(count<ConvBackwardNorm>(recipe, [](const ConvBackwardNorm& op) { return op.other.x >= 0; }) == 4);
  CHECK(count<NormApply>(recipe) == 51);
  CHECK(count<NormForward>(recipe) == 1);
  CHECK(count<NormBackward>(recipe) == 2);
  // Where the stem's map forks.
  CHECK(count<ConvBackwardData>(recipe, [](const ConvBackwardData& op) { return op.adds; }) == 1);
  CHECK(count<Sum>(recipe) == 0);
  CHECK(count<ReluForward>(recipe) + count<ScaleShift>(recipe) == 0);
}

TEST_CASE("main-loop fusion: a strided convolution does not close a join") {
  const Recipe recipe = recipe_of(resnet({.variant = ResnetOptions::Variant::v1, .norm = {}}));
  CHECK(count<ConvStatistics>(recipe) == 52);
  CHECK(count<NormJoin>(recipe, [](const NormJoin& op) { return op.mask >= 0; }) == 4);
  CHECK(count<ConvBackwardNorm>(recipe) == 44);
  CHECK(count<NormBackward>(recipe) == 5);
}

TEST_CASE("main-loop fusion: inference, kept values and batch norm groups are planned as without") {
  const Graph plain = resnet({.depth = 18, .norm = {}}),
              grouped = resnet({.depth = 18, .norm = {.group = 2}});
  CHECK(names(recipe_of(plain)) != names(recipe_of(plain, Fusion::norms)));
  for (const auto& [graph, mode, keep] : {std::tuple{plain, Mode::inference, false},
                                          {plain, Mode::training, true},
                                          {grouped, Mode::training, false}})
    CHECK(names(recipe_of(graph, Fusion::main_loop, mode, keep)) ==
          names(recipe_of(graph, Fusion::norms, mode, keep)));
}

TEST_CASE("main-loop fusion: what does not meet the conditions falls back alone") {
  const Recipe all = recipe_of(around({}));
  CHECK(count<ConvStatistics>(all) == 3);
  CHECK(count<ConvBackwardNorm>(all) == 2);
  CHECK(count<NormForward>(all) == 0);
  const auto check = [](const std::string& what, const Layer& layer, int counted, int closed) {
    INFO(what);
    const Recipe recipe = recipe_of(around(layer));
    CHECK(fuses(recipe));
    CHECK(count<ConvStatistics>(recipe) == counted);
    CHECK(count<ConvBackwardNorm>(recipe) == closed);
    const int groups = layer.norm.group > 0 ? 4 / layer.norm.group : 1;  // an operation each
    CHECK(count<NormForward>(recipe) == (3 - counted) * groups);
  };
  check("5x5", {.conv = {32, {5, 5}, {1, 1}, {2, 2}, 1, false}}, 2, 0);
  check("unpadded 3x3", {.conv = {32, {3, 3}, {1, 1}, {0, 0}, 1, false}}, 2, 0);
  check("a stride of 3", {.conv = {32, {3, 3}, {3, 3}, {1, 1}, 1, false}}, 2, 0);
  check("groups", {.conv = {32, {3, 3}, {1, 1}, {1, 1}, 2, false}}, 2, 0);
  check("a bias", {.conv = {32, {3, 3}, {1, 1}, {1, 1}, 1, true}}, 2, 0);
  check("24 outputs", {.conv = {24, {3, 3}, {1, 1}, {1, 1}, 1, false}}, 1, 0);
  check("24 inputs", {.inputs = 24}, 1, 0);
  check("a norm without scale", {.norm = {.affine = false}}, 2, 1);
  check("a group of 2 images", {.norm = {.group = 2}}, 2, 1);
  check("a second reader", {.second_reader = true}, 2, 1);
  check("a stride", {.conv = {32, {3, 3}, {2, 2}, {1, 1}, 1, false}}, 3, 2);
}

TEST_CASE("main-loop fusion: a device of the older interface is refused in one sentence") {
  const Graph graph = around({});
  const Program program = lower(graph, 4);
  Arena arena(graph, program.layout, 0);
  const auto backend =
      make_fused("fused-mainloop", make_host_device({.separate = true}), {.fusion = Fusion::main_loop});
  CHECK_THROWS_WITH(backend->compile(program, arena, {}), Catch::Contains("compute capability 8.0"));
  CHECK(make_fused(1, Precision::f32, Fusion::main_loop)->device().backend == "fused-mainloop");
}

}  // namespace convoy::fused
