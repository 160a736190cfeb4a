// The onednn backend in bf16, where the CPU has it: zero tolerance on integers whose sums fit in eight bits, the rounding bound
// elsewhere, the same bits again; and what it refuses.
#include <algorithm>
#include <catch2/catch.hpp>

#include "backends/onednn/onednn.h"
#include "backends/registry.h"
#include "bf16.h"
#include "runner.h"
#include "tests/support/precision_bound.h"

namespace convoy::parity {

namespace {

bool same(const std::vector<testing::rounded::Named>& a, const std::vector<testing::rounded::Named>& b) {
  return std::ranges::equal(a, b, {}, &testing::rounded::Named::values, &testing::rounded::Named::values);
}

}  // namespace

TEST_CASE("bf16 on oneDNN: every shape of the networks is exact where sums fit in eight bits") {
  const auto oracle = make_backend("reference", 2), subject = bf16_backend(2);
  if (subject == nullptr) return;
  int compared = 0;
  for (const char* file : {"resnet.txt", "alexnet.txt"})
    for (const Problem& p : read_problems(std::string(CONVOY_SOURCE_DIR) + "/tests/parity/" + file)) {
      if (!exact(p)) continue;
      INFO(p.text());
      RunOptions options;
      options.keep_values = false;
      options.range = 1;
      options.keep_one_of = 16;
      options.behind_conv = !std::holds_alternative<Conv>(p.op) && !std::holds_alternative<Linear>(p.op);
      const auto difference = run_problem(p, *oracle, *subject, options);
      INFO((difference ? difference->text() : ""));
      CHECK_FALSE(difference.has_value());
      ++compared;
    }
  CHECK(compared > 30);
  // So that it could fail: larger sums are rounded.
  const Problem large = parse("conv n2 c256 14x14 o256 k3x3 s1x1 p1x1 g1");
  CHECK(run_problem(large, *oracle, *subject, {.keep_values = false}).has_value());
}

TEST_CASE("bf16 on oneDNN differs from f32 by its rounding") {
  const auto subject = bf16_backend(2);
  if (subject == nullptr) return;
  const auto f32 = make_onednn(2);
  for (const Graph& graph : {testing::rounded::smooth(), testing::rounded::residual(),
                             testing::rounded::residual(32, 2), testing::rounded::residual(32, 4)}) {
    testing::rounded::check(graph, *f32, *subject, 0x1p-9, 1);
    const Program program = lower(graph, testing::rounded::images, {});
    Arena arena(graph, program.layout, 0);
    const PlanInfo info = subject->compile(program, arena, {.allow_reference_kernels = true})->info();
    if (graph.nodes[1].shape.channels % 16 == 0)  // by loops of ours
      CHECK(std::ranges::any_of(info.steps, [](const StepInfo& step) {
        return step.implementation.find("convoy:norm_statistics") != std::string::npos;
      }));
  }
}

TEST_CASE(
    "bf16 on oneDNN: the same bits from another plan, and where values are kept instead of made again") {
  const auto subject = bf16_backend(2);
  if (subject == nullptr) return;
  const Graph graph = testing::rounded::residual(32);
  const auto first = testing::rounded::train(graph, *subject, 1);
  CHECK(same(first, testing::rounded::train(graph, *bf16_backend(2), 1)));
  CHECK(same(first, testing::rounded::train(graph, *subject, 1, {.recompute = false})));
  CHECK_FALSE(same(first, testing::rounded::train(graph, *make_onednn(2), 1)));
}

TEST_CASE("the onednn backend has f32 and bf16 alone") {
  for (const Precision precision : {Precision::tf32, Precision::fp16})
    CHECK_THROWS_WITH(make_backend("onednn", 1, 0, precision),
                      Catch::Contains("is asked for: give precision.activations=f32"));
}

}  // namespace convoy::parity
