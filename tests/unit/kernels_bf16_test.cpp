// The onednn backend's own passes over bf16, against f32 arithmetic rounded once.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "backends/onednn/kernels_bf16.h"
#include "base/half.h"
#include "tests/support/noise.h"

namespace convoy::onednn {
namespace {

using Halves = std::vector<uint16_t>;

Halves numbers(size_t count, uint64_t stream) {
  const std::vector<float> values = testing::noise(count, stream);
  Halves halves(count);
  for (size_t i = 0; i < count; ++i) halves[i] = Bf16::pack(i % 7 == 3 ? 0.0f : values[i]);
  if (count > 100) {
    halves[17] = Bf16::pack(-0.0f);
    halves[50] = Bf16::pack(std::numeric_limits<float>::quiet_NaN());
    halves[51] = Bf16::pack(std::numeric_limits<float>::infinity());
    halves[99] = Bf16::pack(-std::numeric_limits<float>::infinity());
  }
  return halves;
}

size_t differing(const Halves& a, const Halves& b) {
  size_t count = 0;
  for (size_t i = 0; i < a.size(); ++i) count += a[i] != b[i];
  return count;
}

// Of one piece of a thread's, of less, of more, and of several.
const size_t counts[] = {1, 31, 8191, 8192, 8193, 50'000};

}  // namespace

TEST_CASE("bf16 passes: ReLU") {
  for (const size_t count : counts) {
    const Halves x = numbers(count, 1);
    Halves y(count), in_place = x, expected(count);
    for (size_t i = 0; i < count; ++i) expected[i] = Bf16::unpack(x[i]) < 0.0f ? uint16_t{0} : x[i];
    relu(x.data(), y.data(), count);
    relu(in_place.data(), in_place.data(), count);
    CHECK(differing(y, expected) == 0);
    CHECK(differing(in_place, expected) == 0);
  }
}

TEST_CASE("bf16 passes: the residual sum, with and without a ReLU") {
  for (const size_t count : counts)
    for (const bool then_relu : {false, true}) {
      const Halves a = numbers(count, 1), b = numbers(count, 2);
      Halves y(count), expected(count);
      for (size_t i = 0; i < count; ++i) {
        const float sum = Bf16::unpack(a[i]) + Bf16::unpack(b[i]);
        expected[i] = then_relu && sum < 0.0f ? uint16_t{0} : Bf16::pack(sum);
      }
      add(a.data(), b.data(), y.data(), count, then_relu);
      CHECK(differing(y, expected) == 0);
    }
}

TEST_CASE("bf16 passes: sums of gradients, masked or not, into any of them") {
  for (const size_t count : counts)
    for (const size_t many : {1, 2, 3})
      for (const bool masked : {false, true}) {
        if (many == 1 && !masked) continue;  // a copy, which nobody asks for
        const Halves mask = numbers(count, 9);
        std::vector<Halves> parts;
        for (size_t p = 0; p < many; ++p) parts.push_back(numbers(count, 1 + p));
        Halves expected(count);
        for (size_t i = 0; i < count; ++i) {
          float total = Bf16::unpack(parts[0][i]);
          for (size_t p = 1; p < many; ++p) total += Bf16::unpack(parts[p][i]);
          const bool held = masked && Bf16::unpack(mask[i]) <= 0.0f;
          expected[i] = held ? uint16_t{0} : many == 1 ? parts[0][i] : Bf16::pack(total);
        }
        for (size_t into = 0; into <= many; ++into) {
          std::vector<Halves> given = parts;
          given.emplace_back(count);  // or into none of them
          std::vector<const uint16_t*> from;
          for (size_t p = 0; p < many; ++p) from.push_back(given[p].data());
          sum(from, masked ? mask.data() : nullptr, given[into].data(), count);
          INFO(count << " numbers, " << many << " parts, into " << into << (masked ? ", masked" : ""));
          CHECK(differing(given[into], expected) == 0);
        }
      }
}

}  // namespace convoy::onednn
