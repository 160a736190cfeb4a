#include "net/cost.h"

#include <catch2/catch.hpp>

#include "net/resnet.h"

namespace convoy {

TEST_CASE("cost: a convolution by hand") {
  GraphBuilder build("one", {3, 8, 8});
  int x = build.conv("first", 0, {4, {3, 3}, {1, 1}, {1, 1}, 1, true}, {});
  build.conv("second", x, {4, {3, 3}, {1, 1}, {1, 1}, 2, false}, {});
  const Program program = lower(build.finish(), 5);
  const int64_t macs1 = 4 * 64 * 27, macs2 = 4 * 64 * 18, weights1 = 4 * 27 + 4, weights2 = 4 * 18;
  CHECK(cost_of(program, {Pass::forward, 1}).flops == 5 * (2 * macs1 + 4 * 64));
  CHECK(cost_of(program, {Pass::forward, 1}).bytes == 4 * (5 * (3 * 64 + 4 * 64) + weights1));
  // The first one needs no data gradient, the second needs both.
  CHECK(cost_of(program, {Pass::backward, 1}).flops == 5 * (2 * macs1 + 4 * 64));
  CHECK(cost_of(program, {Pass::backward, 2}).flops == 5 * 4 * macs2);
  CHECK(cost_of(program, {Pass::backward, 2}).bytes == 4 * (5 * 3 * 4 * 64 + 2 * weights2));
}

TEST_CASE("cost: ResNet-50 v1.5 is 8.2 Gflop forward and about twice that backward") {
  const Program program = lower(resnet({}), 1);
  const PassCosts sum = cost_of(program);
  CHECK(multiply_adds(program.graph) == 4089184256);
  CHECK(sum.forward.flops == Approx(8.2e9).epsilon(0.02));
  CHECK(sum.backward.flops == Approx(2 * 8.2e9).epsilon(0.03));
  const PassCosts two = cost_of(lower(resnet({}), 2));
  CHECK(two.forward.flops == 2 * sum.forward.flops);
  CHECK(two.forward.bytes < 2 * sum.forward.bytes);  // the weights are read once
}

TEST_CASE("cost: inference has no backward") {
  const PassCosts sum = cost_of(lower(resnet({}), 1, {.mode = Mode::inference}));
  CHECK(sum.backward.flops == 0);
  CHECK(sum.forward.flops > 0);
}

}  // namespace convoy
