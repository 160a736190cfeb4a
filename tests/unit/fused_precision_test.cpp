// Fused plans in 16-bit types against the plan in f32 (tests/support/precision_bound.h).
#include <catch2/catch.hpp>
#include <memory>

#include "backends/fused/fused.h"
#include "tests/support/precision_bound.h"

namespace convoy::fused {
namespace {

using testing::rounded::distance;
using testing::rounded::Named;
using testing::rounded::residual;
using testing::rounded::smooth;
using testing::rounded::train;

std::unique_ptr<Backend> backend(Precision precision, Fusion fusion = Fusion::norms) {
  const int align = precision == Precision::f32 ? 1 : 8;
  return make_fused("fused", make_host_device({.threads = 1, .align = align}),
                    {.precision = precision, .fusion = fusion});
}

void check(const Graph& graph, Precision precision, double u, float loss_scale,
           Fusion fusion = Fusion::norms) {
  testing::rounded::check(graph, *backend(Precision::f32), *backend(precision, fusion), u, loss_scale);
}

}  // namespace

TEST_CASE("fused plan: 16-bit types differ from f32 by their rounding") {
  for (const Graph& graph : {smooth(), residual()}) {
    check(graph, Precision::bf16, 0x1p-9, 1);
    check(graph, Precision::fp16, 0x1p-12, 256);
  }
}

// Two more roundings a folded norm: of its scale and of its shift. They stay within the same bound.
TEST_CASE("fused plan: main-loop fusion in 16-bit types differs from f32 by their rounding") {
  check(residual(32), Precision::bf16, 0x1p-9, 1, Fusion::main_loop);
  check(residual(32), Precision::fp16, 0x1p-12, 256, Fusion::main_loop);
}

TEST_CASE("fused plan: without a loss scale small gradients of fp16 are lost, with one they are not") {
  const Graph graph = smooth();
  const std::vector<Named> exact = train(graph, *backend(Precision::f32), 1);
  const std::vector<Named> plain = train(graph, *backend(Precision::fp16), 0x1p-10f),
                           scaled = train(graph, *backend(Precision::fp16), 256);
  CHECK(distance(exact[1].values, plain[1].values) > 8 * distance(exact[1].values, scaled[1].values));
}

}  // namespace convoy::fused
