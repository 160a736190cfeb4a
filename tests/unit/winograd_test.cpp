// Winograd's F(2x2, 3x3) against the definition of a convolution and its gradients, for each instruction set that this machine has: exactly
// on small integers, in either layout, with borders of every kind, however the work is dealt out; within a bound on other numbers.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "backends/onednn/winograd.h"
#include "tests/support/noise.h"

namespace convoy {
namespace {

using onednn::winograd::Shape;
using onednn::winograd::Units;
namespace winograd = onednn::winograd;

struct IsaUnits {
  const char* isa;
  const Units* units;
};
std::vector<IsaUnits> units_here() {
  std::vector<IsaUnits> here;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    here.push_back({"avx2", winograd::units_for("avx2")});
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    here.push_back({"avx512_core", winograd::units_for("avx512_core")});
#endif
  return here;
}

using Numbers32 = std::vector<float>;
// 64-byte aligned, as the plans' memory is, and with a line behind it that nobody may write.
class Room {
 public:
  explicit Room(size_t numbers)
      : size_(numbers),
        memory_(static_cast<float*>(std::aligned_alloc(64, (numbers + 31) / 16 * 16 * sizeof(float)))) {
    std::fill_n(memory_.get(), size_, std::nanf(""));
    std::fill_n(memory_.get() + size_, line, 77.0f);
  }
  float* data() { return memory_.get(); }
  bool intact() const {
    return std::all_of(memory_.get() + size_, memory_.get() + size_ + line,
                       [](float x) { return x == 77.0f; });
  }
  Numbers32 numbers() const { return {memory_.get(), memory_.get() + size_}; }

 private:
  static constexpr size_t line = 16;
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  size_t size_;
  std::unique_ptr<float, Free> memory_;
};

// What a convolution is, on NCHW, in double.
struct Definition {
  Shape s;
  std::vector<double> dst, src_gradient, weight_gradient;
  Definition(const Shape& shape, const Numbers32& src, const Numbers32& weights, const Numbers32& gradient)
      : s(shape),
        dst(static_cast<size_t>(s.images * s.outputs * s.out_height() * s.out_width())),
        src_gradient(src.size()),
        weight_gradient(weights.size()) {
    for (int64_t n = 0; n < s.images; ++n)
      for (int64_t o = 0; o < s.outputs; ++o)
        for (int64_t y = 0; y < s.out_height(); ++y)
          for (int64_t x = 0; x < s.out_width(); ++x) {
            const auto out =
                static_cast<size_t>(((n * s.outputs + o) * s.out_height() + y) * s.out_width() + x);
            for (int64_t i = 0; i < s.inputs; ++i)
              for (int64_t tap = 0; tap < 9; ++tap) {
                const int64_t v = y + tap / 3 - s.padding, u = x + tap % 3 - s.padding;
                if (v < 0 || u < 0 || v >= s.height || u >= s.width) continue;
                const auto in = static_cast<size_t>(((n * s.inputs + i) * s.height + v) * s.width + u);
                const auto w = static_cast<size_t>((o * s.inputs + i) * 9 + tap);
                dst[out] += static_cast<double>(src[in]) * static_cast<double>(weights[w]);
                src_gradient[in] += static_cast<double>(gradient[out]) * static_cast<double>(weights[w]);
                weight_gradient[w] += static_cast<double>(gradient[out]) * static_cast<double>(src[in]);
              }
          }
  }
};

// NCHW to the layout of `s`, or (`back`) the other way.
Numbers32 arranged(const Shape& s, int64_t channels, int64_t pixels, int64_t block, const Numbers32& from,
                   bool back) {
  Numbers32 to(from.size());
  for (int64_t n = 0; n < s.images; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t p = 0; p < pixels; ++p) {
        const auto plain = static_cast<size_t>((n * channels + c) * pixels + p);
        const auto other = static_cast<size_t>(
            n * channels * pixels +
            (s.channels_last ? p * channels + c : (c / block * pixels + p) * block + c % block));
        back ? to[plain] = from[other] : to[other] = from[plain];
      }
  return to;
}

struct Found {
  Numbers32 dst, src_gradient, weight_gradient;
  bool operator==(const Found&) const = default;
};
Found computed(const Units& on, const Shape& s, const Numbers32& src, const Numbers32& weights,
               const Numbers32& gradient, const winograd::Cores& cores, const winograd::Tail& tail = {}) {
  const int64_t in = s.height * s.width, out = s.out_height() * s.out_width(), block = winograd::block_of(on);
  const Numbers32 maps = arranged(s, s.inputs, in, block, src, false),
                  top = arranged(s, s.outputs, out, block, gradient, false);
  const Shape back = s.of_data_gradient();
  Room forward(winograd::forward_scratch(on, s, cores)), backward(winograd::forward_scratch(on, back, cores)),
      weight(winograd::weight_gradient_scratch(on, s, cores));
  Room transformed(s.transformed_weights()), turned(s.transformed_weights());
  Room dst(gradient.size()), src_gradient(src.size()), weight_gradient(weights.size());
  winograd::transform(on, s, weights.data(), transformed.data());
  winograd::forward(on, s, maps.data(), transformed.data(), tail, dst.data(), forward.data(), cores);
  winograd::transform_turned(on, s, weights.data(), turned.data());
  winograd::forward(on, back, top.data(), turned.data(), {}, src_gradient.data(), backward.data(), cores);
  winograd::weight_gradient(on, s, maps.data(), top.data(), weight_gradient.data(), weight.data(), cores);
  for (const Room* room :
       {&forward, &backward, &weight, &transformed, &turned, &dst, &src_gradient, &weight_gradient})
    REQUIRE(room->intact());
  return {arranged(s, s.outputs, out, block, dst.numbers(), true),
          arranged(s, s.inputs, in, block, src_gradient.numbers(), true), weight_gradient.numbers()};
}

// In [-1, 1), or the integers from -3 to 3.
Numbers32 numbers(size_t count, uint64_t stream, bool integers) {
  Numbers32 made = testing::noise(count, stream);
  for (float& x : made) x = integers ? std::round(6 * x) : 2 * x;
  return made;
}

struct Given {
  Numbers32 src, weights, gradient;
  explicit Given(const Shape& s, bool integers)
      : src(numbers(static_cast<size_t>(s.images * s.inputs * s.height * s.width), 1, integers)),
        weights(numbers(static_cast<size_t>(s.outputs * s.inputs * 9), 2, integers)),
        gradient(numbers(static_cast<size_t>(s.images * s.outputs * s.out_height() * s.out_width()), 3,
                         integers)) {}
};

bool equal(const Numbers32& a, const std::vector<double>& b) {
  return std::ranges::equal(a, b, [](float x, double y) { return static_cast<double>(x) == y; });
}

double distance(const Numbers32& a, const std::vector<double>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

// images, inputs, outputs, height, width, padding
const Shape shapes[] = {{2, 32, 64, 6, 6, 1},  {3, 64, 32, 7, 7, 1},    {1, 96, 32, 5, 9, 1},
                        {2, 32, 32, 8, 5, 0},  {2, 32, 96, 4, 3, 2},    {1, 32, 32, 1, 1, 1},
                        {1, 32, 32, 3, 3, 0},  {5, 64, 128, 13, 13, 1}, {2, 192, 64, 6, 10, 1},
                        {1, 64, 160, 6, 6, 1}, {1, 160, 96, 5, 5, 2},   {5, 64, 64, 16, 15, 1}};

std::string text(const Shape& s) {
  return fmt::format("{} images, {} to {}, {}x{}, padding {}, {}", s.images, s.inputs, s.outputs, s.height,
                     s.width, s.padding, s.channels_last ? "NHWC" : "blocks");
}

}  // namespace

TEST_CASE("Winograd's algorithm is exact on small integers") {
#ifdef __x86_64__
  REQUIRE_FALSE(units_here().empty());
#endif
  for (const auto& [isa, units] : units_here())
    for (Shape s : shapes)
      for (const bool last : {false, true}) {
        s.channels_last = last;
        REQUIRE(winograd::fits(*units, s));
        const Given given(s, true);
        const Definition wanted(s, given.src, given.weights, given.gradient);
        for (const int threads : {1, 3, 4, 7, 16}) {
          INFO(isa << ": " << text(s) << ", " << threads << " threads");
          const Found found = computed(*units, s, given.src, given.weights, given.gradient, {threads});
          CHECK(equal(found.dst, wanted.dst));
          CHECK(equal(found.src_gradient, wanted.src_gradient));
          CHECK(equal(found.weight_gradient, wanted.weight_gradient));
        }
      }
}

TEST_CASE("Winograd's algorithm rounds little more than sums of products do") {
  for (const auto& [isa, units] : units_here()) {
    const Shape s{4, 128, 64, 14, 14, 1};
    const Given given(s, false);
    const Definition wanted(s, given.src, given.weights, given.gradient);
    const Found found = computed(*units, s, given.src, given.weights, given.gradient, {2});
    const double forward = distance(found.dst, wanted.dst),
                 data = distance(found.src_gradient, wanted.src_gradient),
                 weights = distance(found.weight_gradient, wanted.weight_gradient);
    INFO(isa << ": " << forward << " forward, " << data << " of the data gradient, " << weights
             << " of the weights'");
    CHECK(std::max({forward, data, weights}) < 10 * 0x1p-24);
    CHECK(std::min({forward, data, weights}) > 0);
  }
}

TEST_CASE("what follows a convolution by Winograd's algorithm") {
  for (const auto& [isa, units] : units_here())
    for (const bool last : {false, true})
      for (const int what : {0, 1, 2, 3, 4, 5, 6, 7}) {
        Shape s{2, 32, 64, 7, 6, 1};
        s.channels_last = last;
        const bool with_bias = what % 2 == 1, with_other = what / 2 % 2 == 1, relu = what / 4 == 1;
        INFO(isa << ": " << text(s) << (with_bias ? ", bias" : "") << (with_other ? ", sum" : "")
                 << (relu ? ", ReLU" : ""));
        const Given given(s, true);
        const int64_t pixels = s.out_height() * s.out_width(), block = winograd::block_of(*units);
        const Numbers32 bias = numbers(static_cast<size_t>(s.outputs), 50, true),
                        other = numbers(given.gradient.size(), 51, true);
        const Definition wanted(s, given.src, given.weights, given.gradient);
        const Numbers32 there = arranged(s, s.outputs, pixels, block, other, false);
        const winograd::Tail tail{with_bias ? bias.data() : nullptr, with_other ? there.data() : nullptr,
                                  relu};
        const Found found = computed(*units, s, given.src, given.weights, given.gradient, {2}, tail);
        for (size_t i = 0; i < found.dst.size(); ++i) {
          double sum = wanted.dst[i];
          if (with_bias) sum += static_cast<double>(bias[i / static_cast<size_t>(pixels) % bias.size()]);
          if (with_other) sum += static_cast<double>(other[i]);
          REQUIRE(static_cast<double>(found.dst[i]) == (relu ? std::max(sum, 0.0) : sum));
        }
      }
}

TEST_CASE("Winograd's weights times factors") {
  for (const auto& [isa, units] : units_here()) {
    const Shape s{1, 32, 64, 4, 4, 1};
    Numbers32 weights = Given(s, true).weights;
    const Numbers32 factors = numbers(static_cast<size_t>(s.outputs), 9, true);
    Room scaled(s.transformed_weights()), wanted(s.transformed_weights());
    winograd::transform(*units, s, weights.data(), scaled.data());
    winograd::scale(*units, s, factors, scaled.data());
    for (size_t i = 0; i < weights.size(); ++i) weights[i] *= factors[i / 9 / static_cast<size_t>(s.inputs)];
    winograd::transform(*units, s, weights.data(), wanted.data());
    CHECK(scaled.numbers() == wanted.numbers());
    CHECK(scaled.intact());
  }
}

TEST_CASE("Winograd's sums have one order whatever the caches, and over inputs whatever the threads") {
  for (const auto& [isa, units] : units_here())
    for (const Shape& s : {Shape{3, 64, 128, 14, 14, 1}, Shape{3, 192, 96, 10, 10, 1}}) {
      INFO(isa << ": " << text(s));
      const Given given(s, false);
      const auto with = [&](int threads, int64_t l2) {
        return computed(*units, s, given.src, given.weights, given.gradient, {threads, l2});
      };
      const Found one = with(1, 1 << 20);
      for (const int64_t l2 : {256 << 10, 512 << 10, 2 << 20, 16 << 20}) CHECK(with(1, l2) == one);
      const Found six = with(6, 2 << 20);
      CHECK(with(6, 256 << 10) == six);
      CHECK(six.dst == one.dst);
      CHECK(six.src_gradient == one.src_gradient);
      CHECK(six.weight_gradient != one.weight_gradient);  // in segments of tiles
    }
}

}  // namespace convoy
