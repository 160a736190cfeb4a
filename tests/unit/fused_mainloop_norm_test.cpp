// Main-loop fusion's operations one by one: gradients against five-point differences of the forward operations
// (tests/parity/finite_difference_test.cpp has the formula), statistics out of sums against those of two passes, and what is
// rounded where.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <vector>

#include "base/half.h"
#include "tests/support/finite_difference.h"
#include "tests/support/fused_bench.h"
#include "tests/support/noise.h"

namespace convoy::fused {
namespace {

using convoy::testing::noise;

constexpr int n = 3, size = 4, c = 5, k = 3;
enum class Join { folded, alone, residual, other };

// c1 = conv(x, w1) with sums -> norm -> [+ other norm | + residual] -> ReLU -> z = conv(., w2); loss = sum of z dz. Folded: z's
// convolution reads c1. And back: the gradient with the norms' sums [+ addend], of the norms' inputs, of both filters.
class Chain {
 public:
  Chain(Join join, bool addend) : folded_(join == Join::folded) {
    const Conv first{c, {1, 1}, {1, 1}, {0, 0}, 1, false}, second{k, {3, 3}, {1, 1}, {1, 1}, 1, false};
    const Tensor map = map_of(c), filter1{.n = c, .c = c, .channels = c},
                 filter2{.n = k, .h = 3, .w = 3, .c = c, .channels = c};
    const Id w2 = varied(filter2, noise(static_cast<size_t>(filter2.elements()), 3));
    const Normalized norm = counted(first, filter1, map, 10);
    y_ = bench_.add(map);
    NormJoin made{};
    made.norm = norm;
    if (join == Join::other) made.other = counted(first, filter1, map, 20);
    if (join == Join::residual) made.residual = varied(map, noise(static_cast<size_t>(map.elements()), 30));
    made.y = y_;
    made.relu = true;
    forward_.push_back(made);  // folded: for the branches of the ReLU alone
    z_ = bench_.add(map_of(k));
    dz_ = bench_.add(map_of(k), noise(static_cast<size_t>(map_of(k).elements()), 4));
    ConvStatistics conv{};
    conv.conv = second;
    conv.x = folded_ ? norm.x : y_;
    conv.w = w2;
    conv.y = z_;
    conv.sum = bench_.add(vector(k));
    conv.squares = bench_.add(vector(k));
    conv.scale = folded_ ? to_scale_ : -1;
    conv.shift = folded_ ? to_shift_ : -1;
    forward_.push_back(conv);

    const Id dw2 = bench_.add(filter2);
    ConvBackwardWeights weights{second, conv.x, dz_, dw2};
    weights.scale = conv.scale;
    weights.shift = conv.shift;
    backward_.push_back(weights);
    gradient_[w2] = dw2;
    ConvBackwardNorm back{};
    back.conv = second;
    back.dy = dz_;
    back.w = w2;
    back.norm = norm;
    back.other = made.other;
    back.residual = made.residual;
    back.g = bench_.add(map);
    if (addend) {  // of another reader of y
      addend_ = bench_.add(map, noise(static_cast<size_t>(map.elements()), 5));
      back.addend = addend_;
    }
    back.dscale = gradient_[norm.scale] = bench_.add(vector(c));
    back.dshift = gradient_[norm.shift] = bench_.add(vector(c));
    if (made.other.x >= 0) {
      back.other_dscale = gradient_[made.other.scale] = bench_.add(vector(c));
      back.other_dshift = gradient_[made.other.shift] = bench_.add(vector(c));
    }
    if (made.residual >= 0) gradient_[made.residual] = back.g;
    backward_.push_back(back);
    apply(norm, back.g, back.dscale, back.dshift, first, filter1);
    if (made.other.x >= 0) apply(made.other, back.g, back.other_dscale, back.other_dshift, first, filter1);
  }

  double worst_error(int& compared) {
    loss();
    for (const Operation& operation : backward_) bench_.run(operation);
    double worst = 0;
    for (const auto& [id, gradient] : gradient_) worst = std::max(worst, compare(id, gradient, compared));
    return worst;
  }

 private:
  static Tensor map_of(int channels) {
    return {.n = n, .h = size, .w = size, .c = channels, .channels = channels};
  }
  static Tensor vector(int channels) { return {.c = channels, .channels = channels}; }
  Id varied(const Tensor& tensor, const std::vector<float>& values) {
    const Id id = bench_.add(tensor, values);
    gradient_[id] = -1;
    return id;
  }

  Normalized counted(const Conv& op, const Tensor& filter, const Tensor& map, uint64_t stream) {
    const auto count = static_cast<size_t>(map.elements());
    ConvStatistics conv{};
    conv.conv = op;
    conv.x = varied(map, noise(count, stream));
    conv.w = varied(filter, noise(static_cast<size_t>(filter.elements()), stream + 1));
    conv.y = bench_.add(map);
    conv.sum = bench_.add(vector(c));
    conv.squares = bench_.add(vector(c));
    forward_.push_back(conv);
    convs_.push_back(conv);
    NormFinalize norm{};
    norm.epsilon = 1e-2f;
    norm.count = n * size * size;
    norm.sum = conv.sum;
    norm.squares = conv.squares;
    norm.scale = varied(vector(c), noise(c, stream + 2));
    norm.shift = varied(vector(c), noise(c, stream + 3));
    for (Id* id : {&norm.mean, &norm.inv_std, &norm.variance, &norm.to_scale, &norm.to_shift})
      *id = bench_.add(vector(c));
    to_scale_ = norm.to_scale;
    to_shift_ = norm.to_shift;
    forward_.push_back(norm);
    return {conv.y, norm.mean, norm.inv_std, norm.scale, norm.shift};
  }

  void apply(const Normalized& norm, Id g, Id dscale, Id dshift, const Conv& op, const Tensor& filter) {
    const auto conv =
        *std::ranges::find_if(convs_, [&](const ConvStatistics& made) { return made.y == norm.x; });
    const Id dc = bench_.add(map_of(c)), dx = bench_.add(map_of(c)), dw = bench_.add(filter);
    backward_.push_back(NormApply{n * size * size, norm, g, dscale, dshift, dc});
    backward_.push_back(ConvBackwardData{op, dc, conv.w, dx});
    backward_.push_back(ConvBackwardWeights{op, conv.x, dc, dw});
    gradient_[conv.x] = dx;
    gradient_[conv.w] = dw;
  }

  double loss() {
    for (const Operation& operation : forward_) bench_.run(operation);
    const auto product = [&](Id a, Id b) {
      const std::vector<float> left = bench_.values(a), right = bench_.values(b);
      double sum = 0;
      for (size_t i = 0; i < left.size(); ++i)
        sum += static_cast<double>(left[i]) * static_cast<double>(right[i]);
      return sum;
    };
    return product(z_, dz_) + (addend_ < 0 ? 0.0 : product(y_, addend_));
  }
  std::vector<bool> let_through() {
    std::vector<bool> through;
    for (const float y : bench_.values(y_)) through.push_back(y > 0);
    return through;
  }
  double compare(Id id, Id gradient, int& compared) {
    REQUIRE(gradient >= 0);
    return testing::worst_slope(
        bench_, id, bench_.values(gradient), [&] { return loss(); }, [&] { return let_through(); }, compared);
  }

  testing::Bench bench_;
  bool folded_;
  Id y_ = -1, z_ = -1, dz_ = -1, addend_ = -1, to_scale_ = -1, to_shift_ = -1;
  std::vector<ConvStatistics> convs_;
  std::vector<Operation> forward_, backward_;
  std::map<Id, Id> gradient_;  // by what is varied
};

}  // namespace

TEST_CASE("main-loop fusion: gradients are those of finite differences, folded and at every kind of join") {
  for (const Join join : {Join::folded, Join::alone, Join::residual, Join::other})
    for (const bool addend : {false, true}) {
      if (join == Join::folded && addend) continue;
      int compared = 0;
      INFO("join " << static_cast<int>(join) << ", addend " << addend);
      // h^4 of a function with curvature, and the rounding of sums of a hundred f32 over h.
      CHECK(Chain(join, addend).worst_error(compared) < 2e-3);
      CHECK(compared > 100);
    }
}

// E[y^2] - E[y]^2 from f32 sums of exact terms: both sums are rounded once, by u = 2^-24 of themselves, so the variance is
// off by up to u (E[y^2] + 2 mean^2) = u (var + 3 mean^2), whatever the deviations are. Two passes lose nothing of that kind.
TEST_CASE(
    "main-loop fusion: statistics out of sums are as good as stated, and worse than two passes far from zero") {
  constexpr int positions = 1000;
  double lost = 0;
  for (int exponent = -1; exponent <= 14; ++exponent) {
    const float mean = exponent < 0 ? 0.0f : std::ldexp(1.0f, exponent);
    std::vector<float> values = noise(positions, 7);
    for (float& value : values) value += mean;
    double average = 0, spread = 0;
    for (const float value : values) average += static_cast<double>(value) / positions;
    for (const float value : values) spread += std::pow(static_cast<double>(value) - average, 2) / positions;
    testing::Bench bench;
    const Tensor map{.n = positions, .c = 1, .channels = 1}, vector{.c = 1, .channels = 1};
    const auto room = [&] { return bench.add(vector); };
    const Id x = bench.add(map, values), w = bench.add(vector, {1.0f}), scale = bench.add(vector, {1.0f}),
             shift = bench.add(vector, {0.0f});
    ConvStatistics conv{};
    conv.conv = {1, {1, 1}, {1, 1}, {0, 0}, 1, false};
    conv.x = x, conv.w = w, conv.y = bench.add(map), conv.sum = room(), conv.squares = room();
    bench.run(conv);
    NormFinalize norm{1e-5f, positions, conv.sum, conv.squares, scale, shift, room(), room(), room()};
    bench.run(norm);
    NormForward both{};
    both.count = positions, both.x = x, both.scale = scale, both.shift = shift, both.y = bench.add(map);
    both.mean = room(), both.inv_std = room(), both.variance = room();
    bench.run(both);
    const auto error = [&](Id variance) {
      return std::abs(static_cast<double>(bench.values(variance)[0]) * (positions - 1) / positions - spread);
    };
    const double u = 0x1p-24, far = static_cast<double>(mean) * static_cast<double>(mean);
    INFO("mean " << mean << ", variance " << spread << ": off by " << error(norm.variance));
    CHECK(error(norm.variance) <= 1.1 * u * (2 * spread + 3 * far));
    CHECK(error(both.variance) <= 2 * u * spread);
    CHECK(bench.values(norm.variance)[0] >= 0);
    CHECK(std::isfinite(bench.values(norm.inv_std)[0]));
    lost = std::max(lost, error(norm.variance) / spread);
  }
  CHECK(lost > 0.5);  // nothing of the variance is left where the mean is 2^12 deviations away
}

TEST_CASE("main-loop fusion: what a main loop reads is rounded as every factor is, once") {
  for (const Type type : {Type::f32, Type::f16, Type::bf16}) {
    const auto rounded = [&](float x) {
      return type == Type::f32 ? x : type == Type::f16 ? Fp16::round(x) : Bf16::round(x);
    };
    testing::Bench bench;
    const Tensor map{.type = type, .n = 2, .h = 3, .w = 3, .c = 8, .channels = 8},
        sums{.c = 8, .channels = 8}, vector{.type = type, .c = 8, .channels = 8},
        filter{.type = type, .n = 8, .c = 8, .channels = 8};
    std::vector<float> identity(64);
    for (size_t i = 0; i < 8; ++i) identity[9 * i] = 1;
    const std::vector<float> values = noise(144, 1), slopes = noise(8, 2), offsets = noise(8, 3);
    ConvStatistics op{};
    op.conv = {8, {1, 1}, {1, 1}, {0, 0}, 1, false};
    op.x = bench.add(map, values), op.w = bench.add(filter, identity), op.y = bench.add(map);
    op.sum = bench.add(sums), op.squares = bench.add(sums);
    op.scale = bench.add(vector, slopes), op.shift = bench.add(vector, offsets);
    bench.run(op);
    std::vector<double> sum(8), squares(8);
    const std::vector<float> made = bench.values(op.y);
    for (size_t i = 0; i < values.size(); ++i) {
      const float expected =
          rounded(std::max(0.0f, rounded(values[i]) * rounded(slopes[i % 8]) + rounded(offsets[i % 8])));
      CHECK(made[i] == expected);
      sum[i % 8] += static_cast<double>(expected);
      squares[i % 8] += static_cast<double>(expected) * static_cast<double>(expected);
    }
    for (size_t i = 0; i < 8; ++i) {
      CHECK(static_cast<double>(bench.values(op.sum)[i]) == Approx(sum[i]).epsilon(1e-7));
      CHECK(static_cast<double>(bench.values(op.squares)[i]) == Approx(squares[i]).epsilon(1e-7));
    }
  }
}

TEST_CASE(
    "main-loop fusion: joins and their masks are NormForward's, whatever the channels' number and type") {
  for (const Type type : {Type::f32, Type::f16, Type::bf16})
    for (const int channels : {5, 12, 32}) {
      testing::Bench bench;
      const Tensor map{.type = type, .n = 3, .h = 3, .w = 5, .c = channels, .channels = channels},
          vector{.c = channels, .channels = channels};
      Tensor bits = map;
      bits.type = Type::bits;
      const auto count = static_cast<size_t>(map.elements()), width = static_cast<size_t>(channels);
      NormForward norm{};
      norm.count = 3;
      norm.x = bench.add(map, noise(count, 1)), norm.addend = bench.add(map, noise(count, 2));
      norm.scale = bench.add(vector, noise(width, 3)), norm.shift = bench.add(vector, noise(width, 4));
      norm.y = bench.add(map), norm.mask = bench.add(bits);
      norm.mean = bench.add(vector), norm.inv_std = bench.add(vector), norm.variance = bench.add(vector);
      bench.run(norm);
      NormJoin join{};
      join.norm = {norm.x, norm.mean, norm.inv_std, norm.scale, norm.shift};
      join.residual = norm.addend;
      join.y = bench.add(map), join.mask = bench.add(bits), join.relu = true;
      bench.run(join);
      INFO("type " << static_cast<int>(type) << ", channels " << channels);
      CHECK(bench.values(join.y) == bench.values(norm.y));
      const auto masks = [&](Id id) {
        const auto* at = bench.at<uint8_t>(id);
        return std::vector<uint8_t>(at, at + bits.bytes());
      };
      CHECK(masks(join.mask) == masks(norm.mask));
      CHECK(std::ranges::count(masks(join.mask), 0) < static_cast<int64_t>(bits.bytes()));
      // And NormApply after the library's sums is what the library's backward pass writes.
      NormBackward back{};
      back.count = 3, back.dy = bench.add(map, noise(count, 5)), back.x = norm.x, back.mean = norm.mean;
      back.inv_std = norm.inv_std, back.scale = norm.scale, back.dx = bench.add(map);
      back.dscale = bench.add(vector), back.dshift = bench.add(vector);
      bench.run(back);
      const Id dx = bench.add(map);
      bench.run(NormApply{45, join.norm, back.dy, back.dscale, back.dshift, dx});
      const std::vector<float> made = bench.values(dx), wanted = bench.values(back.dx);
      const double roundoff = type == Type::f32 ? 0x1p-22 : type == Type::f16 ? 0x1p-11 : 0x1p-8;
      for (size_t i = 0; i < made.size(); ++i)
        CHECK(static_cast<double>(made[i]) ==
              Approx(static_cast<double>(wanted[i])).epsilon(roundoff).margin(1e-6));
    }
}

}  // namespace convoy::fused
