// Gradients that are added where they are made: by the backward convolution, onto what the other branch of a residual gave.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "../support/fused_bench.h"
#include "backends/fused/fused.h"
#include "net/resnet.h"

namespace convoy::fused {
namespace {

struct Counts {
  int adding = 0, sums = 0;
};

Counts counts_of(const Graph& graph, bool keep_values) {
  const Program program = lower(graph, 2);
  Arena arena(graph, program.layout, 0);
  Counts counts;
  for (const Instruction& i : plan(program, arena, {.keep_values = keep_values}, Precision::fp16, 8).body) {
    if (const auto* data = std::get_if<ConvBackwardData>(&i.operation)) counts.adding += data->adds ? 1 : 0;
    counts.sums += std::holds_alternative<Sum>(i.operation) ? 1 : 0;
  }
  return counts;
}

// An Add without a batch norm hands one gradient to both of its inputs, one of which is what the convolution below the other
// adds to; and a map with three readers, two of them convolutions.
Graph shared() {
  const Init normal{Init::Kind::normal, 0.3f};
  const Conv same{8, {3, 3}, {1, 1}, {1, 1}, 1, false};
  GraphBuilder g("shared", {3, 6, 6});
  int x = g.conv("stem", 0, same, normal);
  x = g.add("first", x, g.conv("a", x, same, normal));
  const int b = g.conv("b", x, same, normal), c = g.conv("c", x, same, normal);
  x = g.add("second", b, g.add("third", x, c));
  x = g.pool("average", x, {Pool::Kind::average, {6, 6}, {1, 1}, {0, 0}});
  g.softmax_loss("loss", g.linear("logits", x, {4, true}, normal), 0.0f);
  return g.finish();
}

std::vector<float> gradients_of(const Graph& graph, bool keep_values) {
  const Program program = lower(graph, 2);
  Arena arena(graph, program.layout, 0);
  arena.initialize(3);
  std::vector<float> pixels(static_cast<size_t>(2 * graph.nodes[0].shape.elements()));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i * 37 % 19) / 8 - 1;
  const std::vector<int32_t> labels{1, 3};
  const auto backend = make_fused(1);
  const auto compiled = backend->compile(program, arena, {.keep_values = keep_values});
  for (int run = 0; run < 3; ++run)  // the third from the recorded graph, over what the second left
    compiled->train({.images = pixels, .labels = labels}, {});
  return {arena.grads().begin(), arena.grads().end()};
}

}  // namespace

TEST_CASE("a backward convolution that adds: in f32 onto what was there, rounded once") {
  testing::Bench bench;
  const auto map = [&](int channels, const std::vector<float>& values) {
    return bench.add({.type = Type::f16, .c = channels, .channels = channels}, values);
  };
  const Id dy = map(2, {2048, 1}), w = bench.add({.type = Type::f16, .n = 2, .c = 1, .channels = 1}, {1, 1});
  const Id dx = map(1, {1});
  const Conv conv{2, {1, 1}, {1, 1}, {0, 0}, 1, false};
  bench.run(ConvBackwardData{conv, dy, w, dx, true});
  CHECK(bench.values(dx)[0] ==
        2050);  // 2049 is no number of fp16: rounded before the addition it would be 2048
  bench.run(ConvBackwardData{conv, dy, w, dx, true});
  CHECK(bench.values(dx)[0] == 4100);  // 2050 + 2049 = 4099, to the even multiple of 4
  bench.run(ConvBackwardData{conv, dy, w, dx});
  CHECK(bench.values(dx)[0] == 2048);
  CHECK(reads(ConvBackwardData{conv, dy, w, dx, true}) == std::vector<Id>{dy, w, dx});
}

TEST_CASE("every residual's gradients are added by a convolution, and by a sum where each is to be seen") {
  const Counts fifty = counts_of(resnet({}), false), seen = counts_of(resnet({}), true);
  CHECK((fifty.adding == 16 && fifty.sums == 0));
  CHECK((seen.adding == 0 && seen.sums >= 16));
  CHECK(counts_of(resnet({.depth = 18, .norm = {}}), false).adding == 8);
}

TEST_CASE("what several hold is not added to") {
  CHECK(counts_of(shared(), false).adding == 0);
  const std::vector<float> fused = gradients_of(shared(), false), plain = gradients_of(shared(), true);
  CHECK(std::ranges::any_of(plain, [](float g) { return g != 0; }));
  CHECK(std::memcmp(fused.data(), plain.data(), plain.size() * sizeof(float)) == 0);
}

}  // namespace convoy::fused
