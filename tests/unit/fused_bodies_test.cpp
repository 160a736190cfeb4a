// The element bodies by hand and against what backends/common and src/base compute.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "backends/common/dropout.h"
#include "backends/common/loss.h"
#include "backends/fused/bodies.h"
#include "base/half.h"
#include "base/random.h"
#include "tests/support/fused_bench.h"
#include "tests/support/noise.h"

namespace convoy::fused {
namespace {

using testing::Bench;
using convoy::testing::noise;

}  // namespace

TEST_CASE("bodies: the random words and streams are those of src/base") {
  const Random random(0x123456789abcdefull, stream_of("dropout", 7, 3, 21));
  const uint64_t stream = stream_from(dropout_purpose(), 7, 3, 21);
  CHECK(stream == stream_of("dropout", 7, 3, 21));
  for (const uint64_t block : {uint64_t{0}, uint64_t{5}, uint64_t{1} << 33})
    for (int lane = 0; lane < 4; ++lane)
      CHECK(philox_word(block, lane, stream, 0x123456789abcdefull) ==
            random.bits(4 * block + static_cast<uint64_t>(lane)));
}

TEST_CASE("bodies: an index is split the same on both sides of 32 bits") {
  for (const int64_t i : {int64_t{0}, int64_t{0xffffffff}, int64_t{0x100000000}, int64_t{123456789012345}})
    for (const int by : {1, 7, 2048}) {
      CHECK(split(i, by).rest == i / by);
      CHECK(split(i, by).last == i % by);
    }
}

TEST_CASE("bodies: dropout keeps what the batch's contract keeps, also of several workers") {
  constexpr int n = 6, h = 3, w = 2, channels = 5;
  for (const int workers : {1, 3}) {
    Batch batch;
    batch.seed = 11, batch.step = 1ll << 40, batch.worker = 2, batch.workers = workers;
    const std::vector<float> planes = noise(n * channels * h * w, 3);
    std::vector<float> expected(planes.size());
    dropout<float>(batch, 9, 0.3f, planes, expected, 1);
    Bench bench;
    bench.facts = {.seed = 11, .step = 1ll << 40, .worker = 2, .workers = workers};
    const Tensor map{.n = n, .h = h, .w = w, .c = 8, .channels = channels};
    const Id given = bench.add({.n = n, .h = h, .w = w, .c = channels, .channels = channels}, planes);
    const Id x = bench.add(map), y = bench.add(map), wanted = bench.add(map);
    bench.run(PackImages{given, x});
    bench.run(DropoutMask{0.3f, 9, x, y});
    for (size_t i = 0; i < expected.size(); ++i) bench.set(given, i, expected[i]);
    bench.run(PackImages{given, wanted});
    CHECK(bench.values(y) == bench.values(wanted));
    CHECK(bench.values(y) != bench.values(x));
  }
}

TEST_CASE("bodies: losses, counts and gradients are those of the other backends") {
  constexpr int images = 7, classes = 37;
  std::vector<float> logits = noise(images * classes, 1);
  for (float& x : logits) x *= 20;
  logits[2 * classes + 5] = std::numeric_limits<float>::quiet_NaN();
  logits[4 * classes + 1] = logits[4 * classes + 9];  // of equal ones the lower class ranks first
  const std::vector<int32_t> labels{3, -1, 5, 36, 9, 0, 1};
  for (const float smoothing : {0.0f, 0.1f}) {
    Totals totals;
    std::vector<float> losses(images), gradient(logits.size());
    softmax_loss<float>(logits, labels, smoothing, losses, totals);
    softmax_loss_gradient<float>(logits, labels, smoothing, gradient);
    Bench bench;
    bench.facts.loss_scale = 64;
    const Tensor padded{.n = images, .c = 40, .channels = classes};
    const Id x = bench.add(padded), dx = bench.add(padded);
    for (size_t i = 0; i < logits.size(); ++i) bench.set(x, i / classes * 40 + i % classes, logits[i]);
    const Id label = bench.add({.type = Type::i32, .c = images, .channels = images});
    std::memcpy(bench.at<int32_t>(label), labels.data(), sizeof(int32_t) * images);
    const Id loss = bench.add({.n = images}),
             counted = bench.add({.type = Type::i32, .c = 10, .channels = 10});
    bench.run(LossForward{smoothing, x, label, loss, counted});
    bench.run(LossForward{smoothing, x, label, loss, counted});
    const auto* counts = bench.at<int64_t>(counted);
    CHECK(counts[0] == 2 * totals.images);
    CHECK(counts[1] == 2 * totals.correct1);
    CHECK(counts[2] == 2 * totals.correct5);
    CHECK(std::abs(counts[3] - 2 * totals.loss) <= 2 * images);  // the last bit of a sum in another order
    CHECK(counts[4] == 2 * totals.nonfinite);
    CHECK(totals.nonfinite == 1);
    bench.run(LossBackward{smoothing, x, label, dx});
    const std::vector<float> got = bench.values(dx), values = bench.values(loss);
    for (size_t i = 0; i < losses.size(); ++i)
      CHECK(
          (losses[i] == Approx(values[i]).epsilon(1e-6) || (std::isnan(losses[i]) && std::isnan(values[i]))));
    for (size_t i = 0; i < got.size(); ++i) {
      const size_t image = i / 40, c = i % 40;
      const float expected = c < classes ? 64 * gradient[image * classes + c] : 0.0f;
      if (!(got[i] == Approx(expected).epsilon(1e-6) || (std::isnan(got[i]) && std::isnan(expected))))
        FAIL("element " << i << ": " << got[i] << " instead of " << expected);
    }
  }
}

TEST_CASE("bodies: a grouped filter becomes a dense one with its blocks on the diagonal, and comes back") {
  Bench bench;
  bench.facts.loss_scale = 4;
  const Tensor canonical{.n = 6, .h = 2, .w = 1, .c = 2, .channels = 2};  // 3 groups of 2 outputs, 2 channels
  std::vector<float> weights(24);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i + 1);
  const Id from = bench.add(canonical, weights), back = bench.add(canonical);
  const Id dense = bench.add({.n = 8, .h = 2, .w = 1, .c = 8, .channels = 6});
  bench.run(PackWeights{from, dense, 3});
  const std::vector<float> packed = bench.values(dense);
  for (size_t k = 0; k < 8; ++k)
    for (size_t r = 0; r < 2; ++r)
      for (size_t c = 0; c < 8; ++c) {
        const bool own = k < 6 && c < 6 && c / 2 == k / 2;
        CHECK(packed[(k * 2 + r) * 8 + c] == (own ? weights[(k * 2 + c % 2) * 2 + r] : 0.0f));
      }
  bench.run(UnpackWeightGradient{dense, back, 3});
  for (float& weight : weights) weight /= 4;
  CHECK(bench.values(back) == weights);
}

TEST_CASE("bodies: 16-bit tensors are rounded once, to nearest even") {
  for (const Type type : {Type::f16, Type::bf16}) {
    const auto rounded = [&](float x) { return type == Type::f16 ? Fp16::round(x) : Bf16::round(x); };
    const std::vector<float> x = noise(64, 4), y = noise(64, 5);
    Bench bench;
    const Tensor map{.type = type, .c = 64, .channels = 64};
    const Id a = bench.add(map, x), b = bench.add(map, y), sum = bench.add(map);
    bench.run(Sum{{a, b, a}, -1, sum});
    std::vector<float> expected(64);
    for (size_t i = 0; i < 64; ++i) expected[i] = rounded(rounded(x[i]) + rounded(y[i]) + rounded(x[i]));
    CHECK(bench.values(sum) == expected);
    bench.run(Sum{{a}, b, sum});
    for (size_t i = 0; i < 64; ++i) expected[i] = rounded(y[i]) <= 0 ? 0.0f : rounded(x[i]);
    CHECK(bench.values(sum) == expected);
  }
}

TEST_CASE("bodies: many groups' statistics and gradients, more than one launch takes") {
  constexpr int groups = most_vectors + 5;
  Bench bench;
  bench.facts.loss_scale = 2;
  std::vector<Id> means, variances;
  const Tensor padded{.c = 8, .channels = 3}, plain{.c = 3, .channels = 3};
  for (int g = 0; g < groups; ++g) {
    means.push_back(bench.add(padded, {static_cast<float>(g), 1, 0}));
    variances.push_back(bench.add(padded, {2, static_cast<float>(g), 8}));
  }
  const Id mean = bench.add(plain), variance = bench.add(plain), sum = bench.add(plain);
  bench.run(NormStatistics{means, variances, mean, variance, 4, true});
  CHECK(bench.launches == 2);
  CHECK(bench.values(mean) == std::vector<float>{(groups - 1) / 2.0f, 1, 0});
  CHECK(bench.values(variance) == std::vector<float>{1.5f, 0.75f * (groups - 1) / 2, 6});
  bench.run(UnpackVectorGradient{means, sum});
  CHECK(bench.values(sum) == std::vector<float>{groups * (groups - 1) / 4.0f, groups / 2.0f, 0});
}

TEST_CASE("bodies: a bias gradient is the sum over positions, by stretches of the shape alone") {
  Bench bench;
  const Tensor map{.n = 3, .h = 5, .w = 7, .c = 8, .channels = 5};
  const std::vector<float> values = noise(static_cast<size_t>(map.elements()), 6);
  const Id dy = bench.add(map, values), db = bench.add({.c = 8, .channels = 5});
  bench.run(BiasGradient{dy, db});
  for (size_t c = 0; c < 8; ++c) {
    double sum = 0;
    for (size_t p = 0; p < 105; ++p) sum += static_cast<double>(values[p * 8 + c]);
    CHECK(bench.values(db)[c] == Approx(sum).margin(1e-12));
  }
  CHECK(stretches_of(map).count * stretches_of(map).positions >= 105);
}

TEST_CASE("operations: what is read and written has every tensor once") {
  NormForward norm{};
  norm.x = 1, norm.scale = -1, norm.shift = -1, norm.addend = 4, norm.y = 5, norm.mask = 6;
  norm.mean = 7, norm.inv_std = 8, norm.variance = 9;
  CHECK(reads(norm) == std::vector<Id>{1, 4});
  CHECK(writes(norm) == std::vector<Id>{5, 6, 7, 8, 9});
  CHECK(is_library(Operation{norm}));
  CHECK_FALSE(is_library(Operation{ReluForward{0, 1}}));
  CHECK(std::string(name_of(Operation{Sum{}})) == "sum");
  CHECK(std::string(name_of(Operation{TopGradient{}})) == "top gradient");
}

}  // namespace convoy::fused
