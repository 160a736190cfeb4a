// F(2x2, 3x3) against the definition of a convolution and its gradients, for each instruction set that this machine has: exactly
// on small integers, in either layout, with borders of every kind; within a bound on other numbers; and as plans of the backend.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "backends/onednn/onednn.h"
#include "backends/onednn/winograd.h"
#include "backends/registry.h"
#include "net/resnet.h"
#include "port/arena.h"
#include "runner.h"

namespace convoy::parity {
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
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    here.push_back({"avx512_core", winograd::units_for("avx512_core")});
#endif
  return here;
}

using Numbers32 = std::vector<float>;
// 64-byte aligned room, as the plans' is.
struct Room {
  explicit Room(size_t numbers) : memory(numbers + 16, std::nanf("")) {}
  float* data() {
    void* at = memory.data();
    size_t space = memory.size() * sizeof(float);
    return static_cast<float*>(std::align(64, space - 64, at, space));
  }
  Numbers32 memory;
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
};
Found computed(const Units& on, const Shape& s, const Numbers32& src, const Numbers32& weights,
               const Numbers32& gradient, int threads, const winograd::Tail& tail = {}) {
  const int64_t in = s.height * s.width, out = s.out_height() * s.out_width(), block = winograd::block_of(on);
  const Numbers32 maps = arranged(s, s.inputs, in, block, src, false),
                  top = arranged(s, s.outputs, out, block, gradient, false);
  const Shape back = s.of_data_gradient();
  Room room(std::max({winograd::forward_scratch(on, s, threads), winograd::forward_scratch(on, back, threads),
                      winograd::weight_gradient_scratch(on, s, threads)}));
  Room transformed(s.transformed_weights());
  Found found{Numbers32(gradient.size(), 1e9f), Numbers32(src.size(), 1e9f), Numbers32(weights.size(), 1e9f)};
  winograd::transform(on, s, weights.data(), transformed.data());
  winograd::forward(on, s, maps.data(), transformed.data(), tail, found.dst.data(), room.data(), threads);
  winograd::transform_turned(on, s, weights.data(), transformed.data());
  winograd::forward(on, back, top.data(), transformed.data(), {}, found.src_gradient.data(), room.data(),
                    threads);
  winograd::weight_gradient(on, s, maps.data(), top.data(), found.weight_gradient.data(), room.data(),
                            threads);
  found.dst = arranged(s, s.outputs, out, block, found.dst, true);
  found.src_gradient = arranged(s, s.inputs, in, block, found.src_gradient, true);
  return found;
}

struct Given {
  Numbers32 src, weights, gradient;
  explicit Given(const Shape& s, bool integers) {
    src.resize(static_cast<size_t>(s.images * s.inputs * s.height * s.width));
    weights.resize(static_cast<size_t>(s.outputs * s.inputs * 9));
    gradient.resize(static_cast<size_t>(s.images * s.outputs * s.out_height() * s.out_width()));
    uint64_t seed = 5;
    for (Numbers32* numbers : {&src, &weights, &gradient})
      integers ? fill_integers(*numbers, seed++, 3) : fill_normal(*numbers, seed++);
  }
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
const Shape shapes[] = {{2, 32, 64, 6, 6, 1}, {3, 64, 32, 7, 7, 1},    {1, 96, 32, 5, 9, 1},
                        {2, 32, 32, 8, 5, 0}, {2, 32, 96, 4, 3, 2},    {1, 32, 32, 1, 1, 1},
                        {1, 32, 32, 3, 3, 0}, {5, 64, 128, 13, 13, 1}, {2, 192, 64, 6, 10, 1}};

}  // namespace

TEST_CASE("Winograd's algorithm is exact on small integers") {
  REQUIRE_FALSE(units_here().empty());
  for (const auto& [isa, units] : units_here())
    for (Shape s : shapes)
      for (const bool last : {false, true}) {
        s.channels_last = last;
        REQUIRE(winograd::fits(*units, s));
        const Given given(s, true);
        const Definition wanted(s, given.src, given.weights, given.gradient);
        for (const int threads : {1, 3}) {
          INFO(isa << ": " << s.images << " images, " << s.inputs << " to " << s.outputs << ", " << s.height
                   << "x" << s.width << ", padding " << s.padding << (last ? ", NHWC, " : ", ") << threads
                   << " threads");
          const Found found = computed(*units, s, given.src, given.weights, given.gradient, threads);
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
    const Found found = computed(*units, s, given.src, given.weights, given.gradient, 2);
    const double forward = distance(found.dst, wanted.dst),
                 data = distance(found.src_gradient, wanted.src_gradient),
                 weights = distance(found.weight_gradient, wanted.weight_gradient);
    std::printf("winograd, %s: errors %.1e forward, %.1e of the data gradient, %.1e of the weights'\n", isa,
                forward, data, weights);
    CHECK(forward < 10 * 0x1p-24);
    CHECK(data < 10 * 0x1p-24);
    CHECK(weights < 10 * 0x1p-24);
  }
}

TEST_CASE("what follows a convolution by Winograd's algorithm") {
  for (const auto& [isa, units] : units_here()) {
    const Shape s{2, 32, 64, 7, 6, 1};
    const Given given(s, true);
    const int64_t pixels = s.out_height() * s.out_width(), block = winograd::block_of(*units);
    Numbers32 bias(static_cast<size_t>(s.outputs)), other(given.gradient.size());
    fill_integers(bias, 50, 3);
    fill_integers(other, 51, 3);
    const Definition wanted(s, given.src, given.weights, given.gradient);
    const Numbers32 there = arranged(s, s.outputs, pixels, block, other, false);
    const Found found =
        computed(*units, s, given.src, given.weights, given.gradient, 2, {bias.data(), there.data(), true});
    for (size_t i = 0; i < found.dst.size(); ++i) {
      const size_t channel = i / static_cast<size_t>(pixels) % bias.size();
      const double sum = wanted.dst[i] + static_cast<double>(bias[channel]) + static_cast<double>(other[i]);
      REQUIRE(static_cast<double>(found.dst[i]) == std::max(sum, 0.0));
    }
  }
}

TEST_CASE(
    "Winograd's sums have one order over inputs, whatever the threads; over tiles, one for each number of segments") {
  for (const auto& [isa, units] : units_here()) {
    const Shape s{3,  64, 128,
                  14, 14, 1};  // two pieces of 64 x 64: one segment for 1 and 2 threads, two for 3 and 4
    const Given given(s, false);
    const auto with = [&](int threads) {
      return computed(*units, s, given.src, given.weights, given.gradient, threads);
    };
    const Found one = with(1), two = with(2), three = with(3), four = with(4);
    CHECK(one.dst == four.dst);
    CHECK(one.src_gradient == three.src_gradient);
    CHECK(one.weight_gradient == two.weight_gradient);
    CHECK(three.weight_gradient == four.weight_gradient);
  }
}

namespace {

int named(const PlanInfo& info, const std::string& what) {
  return static_cast<int>(std::ranges::count_if(
      info.steps, [&](const StepInfo& step) { return step.implementation.find(what) != std::string::npos; }));
}

}  // namespace

TEST_CASE("a plan by Winograd's algorithm is exact on integers, and only where it is allowed") {
  const auto oracle = make_backend("reference", 2), subject = make_backend("onednn", 2);
  const std::string isa = subject->device().isa;
  const bool known = isa.starts_with("avx2") || isa.starts_with("avx512_core");
  for (const char* line :
       {"conv n4 c64 14x14 o128 k3x3 s1x1 p1x1 g1", "conv n4 c64 13x13 o32 k3x3 s1x1 p1x1 g1 bias",
        "conv n4 c32 12x10 o64 k3x3 s1x1 p0x0 g1"})
    for (const bool keep_values : {false, true}) {
      const Problem problem = parse(line);
      INFO(line << (keep_values ? ", values kept" : ""));
      RunOptions options;
      options.keep_values = keep_values;
      options.winograd = true;
      options.behind_conv = true;
      const auto difference = run_problem(problem, *oracle, *subject, options);
      INFO((difference ? difference->text() : ""));
      CHECK_FALSE(difference.has_value());
      const Program program = lower(graph_of(problem, true), problem.images);
      Arena arena(program.graph, program.layout, 0);
      CHECK(named(subject->compile(program, arena, {.keep_values = keep_values, .winograd = true})->info(),
                  "convoy:winograd") == (known ? 2 : 0));
      CHECK(named(subject->compile(program, arena, {.keep_values = keep_values})->info(), "winograd") == 0);
    }
}

}  // namespace convoy::parity
