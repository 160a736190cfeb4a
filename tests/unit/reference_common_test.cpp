#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "../support/one_tensor.h"
#include "backends/common/dropout.h"
#include "backends/common/host_vector.h"
#include "backends/common/loss.h"
#include "backends/common/memory_plan.h"
#include "base/random.h"
#include "tests/support/noise.h"

namespace convoy {
namespace {

using testing::noise;

}  // namespace

TEST_CASE("memory plan: buffers alive together never overlap, and the peak is reached") {
  const Random random(1, 2);
  std::vector<Interval> intervals;
  for (uint64_t i = 0; i < 200; ++i) {
    const int first = static_cast<int>(random.bits(3 * i) % 100);
    intervals.push_back(
        {first, first + static_cast<int>(random.bits(3 * i + 1) % 20), random.bits(3 * i + 2) % 5000});
  }
  intervals.push_back({-1, -1, 1 << 30});
  const MemoryPlan plan = plan_memory(intervals);
  size_t total = 0, highest = 0;
  for (size_t a = 0; a < 200; ++a) {
    CHECK(plan.offsets[a] % 64 == 0);
    total += intervals[a].bytes;
    highest = std::max(highest, plan.offsets[a] + intervals[a].bytes);
    for (size_t b = 0; b < a; ++b) {
      const bool together =
          intervals[a].first <= intervals[b].last && intervals[b].first <= intervals[a].last;
      const bool apart = plan.offsets[a] + intervals[a].bytes <= plan.offsets[b] ||
                         plan.offsets[b] + intervals[b].bytes <= plan.offsets[a];
      if (together && intervals[a].bytes > 0 && intervals[b].bytes > 0 && !apart)
        FAIL(a << " overlaps " << b);
    }
  }
  CHECK(highest <= plan.peak);
  CHECK(plan.peak < highest + 64);
  CHECK(plan.peak < total / 3);
}

TEST_CASE("memory plan: the smallest gap that fits is taken") {
  // Two long-lived blocks with a hole between them, then a small one that fits the hole.
  const std::vector<Interval> intervals{{0, 9, 640}, {0, 1, 320}, {0, 9, 256}, {2, 9, 192}};
  const MemoryPlan plan = plan_memory(intervals);
  CHECK(plan.peak == 640 + 320 + 256);
  CHECK(plan.offsets[3] == plan.offsets[1]);
}

TEST_CASE("host vector: the norm is exact where it can be, and does not depend on threads") {
  HostVector one(1), three(3);
  const std::vector<float> ones(100003, 3.0f);
  CHECK(one.squared_norm(ones) == 9.0 * 100003);
  CHECK(one.squared_norm(std::span<const float>()) == 0.0);
  const auto x = noise(300001, 1);
  CHECK(one.squared_norm(x) == three.squared_norm(x));
  long double sum = 0;
  for (float value : x) sum += static_cast<long double>(value) * value;
  CHECK(one.squared_norm(x) == Approx(static_cast<double>(sum)).epsilon(1e-14));
}

TEST_CASE("host vector: momentum in both conventions, by hand") {
  HostVector vector(2);
  const float w0 = 2.0f, v0 = 0.5f, g0 = 4.0f;
  // g' = 0.25*4 + 0.5*2 = 2
  const MomentumStep outside{
      .grad_scale = 0.25f, .decay = 0.5f, .momentum = 0.75f, .into_velocity = 1.0f, .into_weights = 0.125f};
  MomentumStep step = outside;
  std::vector<float> w{w0}, v{v0};
  const std::vector<float> g{g0};
  testing::momentum_step(vector, w, v, g, step);  // v = 0.375 + 2; w -= 0.125 v
  CHECK(v[0] == 2.375f);
  CHECK(w[0] == 2.0f - 0.125f * 2.375f);
  step.lookahead = 0.75f;
  w = {w0}, v = {v0};
  testing::momentum_step(vector, w, v, g, step);  // w -= 0.125 (2 + 0.75 v)
  CHECK(w[0] == 2.0f - 0.125f * (2.0f + 0.75f * 2.375f));
  step = outside;
  std::swap(step.into_velocity, step.into_weights);  // inside
  w = {w0}, v = {v0};
  testing::momentum_step(vector, w, v, g, step);  // v = 0.375 + 0.25; w -= v
  CHECK(v[0] == 0.625f);
  CHECK(w[0] == 1.375f);
  step.lookahead = 0.75f;
  w = {w0}, v = {v0};
  testing::momentum_step(vector, w, v, g, step);  // w -= 0.75 v + 0.25
  CHECK(w[0] == 2.0f - (0.75f * 0.625f + 0.25f));
}

TEST_CASE("host vector: RMSprop warm-up by hand, in float and in double") {
  const auto check = [](auto zero) {
    using T = decltype(zero);
    HostVectorOf<T> vector(1);
    std::vector<T> w{2}, v{T(0.5)}, m{4};
    const std::vector<T> g{4};
    // g' = 0.25*4 + 0.5*2 = 2;  m = 0.75*4 + 0.25*4 = 4;  v = 0.375 + (0.25 + 0.625/(2 + 0.5))*2 = 1.375
    testing::rmsprop_step(vector, w, v, m, g,
                          {T(0.25), T(0.5), T(0.75), T(0.75), T(0.25), T(0.625), T(0.5), T(0.125)});
    CHECK(m[0] == T(4));
    CHECK(v[0] == T(1.375));
    CHECK(w[0] == T(2) - T(0.125) * T(1.375));
  };
  check(0.0f);
  check(0.0);
}

TEST_CASE("host vector: the norm of a decayed gradient, by hand") {
  HostVectorOf<double> vector(1);
  const std::vector<double> g{8, 0}, w{2, 4};
  CHECK(testing::decayed_squared_norm(vector, g, w, 0.25, 0.5) == 9.0 + 4.0);  // 2 + 1, 0 + 2
}

TEST_CASE("host vector: the update does not depend on threads") {
  HostVector one(1), four(4);
  auto w1 = noise(100003, 1), v1 = noise(100003, 2);
  auto w4 = w1, v4 = v1;
  const auto g = noise(100003, 3);
  const MomentumStep step{.grad_scale = 0.3f,
                          .decay = 1e-4f,
                          .momentum = 0.9f,
                          .into_velocity = 0.1f,
                          .into_weights = 1.0f,
                          .lookahead = 0.9f};
  testing::momentum_step(one, w1, v1, g, step);
  testing::momentum_step(four, w4, v4, g, step);
  CHECK(w1 == w4);
  CHECK(v1 == v4);
  const RmspropStep rmsprop{.grad_scale = 0.3f,
                            .decay = 1e-4f,
                            .momentum = 0.9f,
                            .mu2 = 0.99f,
                            .alpha_sgd = 0.5f,
                            .alpha_rmsprop = 0.01f,
                            .epsilon = 1e-8f,
                            .rate = 0.1f};
  std::vector<float> m1(w1.size()), m4(w4.size());
  testing::rmsprop_step(one, w1, v1, m1, g, rmsprop);
  testing::rmsprop_step(four, w4, v4, m4, g, rmsprop);
  CHECK(w1 == w4);
  CHECK(v1 == v4);
  CHECK(m1 == m4);
  CHECK(testing::decayed_squared_norm(one, g, w1, 0.3f, 0.5f) ==
        testing::decayed_squared_norm(four, g, w4, 0.3f, 0.5f));
}

TEST_CASE("host vector: running averages from sums over workers") {
  HostVector vector(1);
  std::vector<float> running{1.0f, 2.0f};
  const std::vector<float> sum{8.0f, 4.0f};
  testing::running_average(vector, running, sum, 0.75f, 0.25f);
  CHECK(running == std::vector<float>{0.75f + 0.5f, 1.5f + 0.25f});
  running[0] = INFINITY;
  testing::running_average(vector, running, sum, 0.0f, 0.25f);  // the last minibatch's, whatever was there
  CHECK(running == std::vector<float>{2.0f, 1.0f});
}

TEST_CASE("dropout: the mask is the batch's contract, and the same in both passes and types") {
  Batch batch;
  batch.seed = 3;
  batch.step = 7;
  batch.worker = 2;
  const std::vector<float> x(10001, 1.0f);
  const std::vector<double> x64(10001, 1.0);
  std::vector<float> y(x.size());
  std::vector<double> y64(x.size());
  dropout<float>(batch, 5, 0.25f, x, y, 2);
  dropout<double>(batch, 5, 0.25f, x64, y64, 1);
  size_t kept = 0;
  for (size_t e = 0; e < x.size(); ++e) {
    const bool keep = dropout_random(batch, 5).bits(e) >= dropout_threshold(0.25f);
    kept += keep;
    if (y[e] != (keep ? static_cast<float>(1 / 0.75) : 0.0f)) FAIL("element " << e);
    if ((y64[e] != 0.0) != keep) FAIL("element " << e);
  }
  CHECK(static_cast<double>(kept) / 10001 == Approx(0.75).margin(0.02));
  ++batch.worker;
  std::vector<float> other(x.size());
  dropout<float>(batch, 5, 0.25f, x, other, 1);
  CHECK(other != y);
}

TEST_CASE("dropout: workers that share a batch keep their own masks") {
  constexpr size_t share = 1001;  // no multiple of the four words of a block
  const std::vector<float> x(3 * share, 1.0f);
  std::vector<float> together(x.size()), alone(share);
  Batch batch;
  batch.seed = 3;
  batch.worker = 4;
  batch.workers = 3;
  dropout<float>(batch, 5, 0.25f, x, together, 2);
  batch.workers = 1;
  for (size_t w = 0; w < 3; ++w, ++batch.worker) {
    dropout<float>(batch, 5, 0.25f, std::span(x).first(share), alone, 2);
    CHECK(std::equal(alone.begin(), alone.end(), together.begin() + static_cast<std::ptrdiff_t>(w * share)));
  }
}

TEST_CASE("loss: values, gradients and counts by hand") {
  const std::vector<double> logits{0, 0, 0, 0, std::log(3.0), 0, 0, 0};
  const std::vector<int32_t> labels{1, 0};
  std::vector<double> losses(2), gradient(8);
  Totals totals;
  softmax_loss<double>(logits, labels, 0.0f, losses, totals);
  CHECK(losses[0] == Approx(std::log(4.0)));
  CHECK(losses[1] == Approx(std::log(2.0)));
  CHECK(totals.images == 2);
  CHECK(totals.correct1 == 1);  // of equal logits the lower class wins: class 0, not the label 1
  CHECK(totals.correct5 == 2);
  CHECK(totals.loss == std::llround(std::log(4.0) * 0x1p24) + std::llround(std::log(2.0) * 0x1p24));
  softmax_loss_gradient<double>(logits, labels, 0.0f, gradient);
  CHECK(gradient[0] == Approx(0.25 / 2));
  CHECK(gradient[1] == Approx((0.25 - 1) / 2));
  CHECK(gradient[4] == Approx((0.5 - 1) / 2));
  softmax_loss<double>(logits, labels, 0.5f, losses, totals);
  CHECK(losses[1] == Approx(std::log(6.0) - (0.5 * std::log(3.0) + 0.125 * std::log(3.0))));
  softmax_loss_gradient<double>(logits, labels, 0.5f, gradient);
  CHECK(gradient[4] == Approx((0.5 - 0.5 - 0.125) / 2));
  CHECK(gradient[5] == Approx((1 / 6.0 - 0.125) / 2));
}

TEST_CASE("loss: padding counts nowhere, nonfinite losses are counted apart, wrong labels are refused") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> logits{1, 2, 3, nan, 1, 2, 0, 0, 1e30f, 5, 1, 1};
  const std::vector<int32_t> labels{-1, 0, 0, 0};
  std::vector<float> losses(4), gradient(12);
  Totals totals;
  softmax_loss<float>(logits, labels, 0.0f, losses, totals);
  CHECK(totals.images == 3);
  CHECK(totals.nonfinite == 2);
  CHECK(totals.correct1 == 1);
  CHECK(losses[0] == 0.0f);
  softmax_loss_gradient<float>(logits, labels, 0.0f, gradient);
  for (size_t j = 0; j < 3; ++j) CHECK(gradient[j] == 0.0f);
  CHECK(gradient[9] < 0.0f);
  const std::vector<int32_t> foreign{0, 1, 2, 3};
  CHECK_THROWS_WITH(softmax_loss<float>(logits, foreign, 0.0f, losses, totals), Catch::Contains("3 classes"));
}

}  // namespace convoy
