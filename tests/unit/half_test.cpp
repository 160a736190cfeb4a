// The two 16-bit formats against every pattern, against numpy's answers, and against rounding in double.
#include <fmt/format.h>

#include "base/half.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/support/rounding.h"

namespace convoy {
namespace {

uint32_t bits_of(float value) { return std::bit_cast<uint32_t>(value); }
float float_of(uint32_t bits) { return std::bit_cast<float>(bits); }

// numpy.uint32(bits).view(numpy.float32).astype(numpy.float16).view(numpy.uint16), numpy 2
const std::vector<std::pair<uint32_t, uint16_t>> numpy{
    {0x00000000, 0x0000},  // 0
    {0x80000000, 0x8000},  // -0
    {0x3f800000, 0x3c00},  // 1
    {0x3f801000, 0x3c00},  // 1 + 2^-11: a tie, down to even
    {0x3f801001, 0x3c01},  // just above it
    {0x3f802fff, 0x3c01},  // just below the next tie
    {0x3f803000, 0x3c02},  // 1 + 3 x 2^-11: up to even
    {0x3fffffff, 0x4000},  // carries into the exponent
    {0x477fe000, 0x7bff},  // 65504, the largest
    {0x477fefff, 0x7bff},  // just below 65520
    {0x477ff000, 0x7c00},  // 65520: a tie, to infinity
    {0xc77ff000, 0xfc00},  // -65520
    {0x7149f2ca, 0x7c00},  // 1e30
    {0x7f7fffff, 0x7c00},  // the largest f32
    {0x7f800000, 0x7c00},  // infinity
    {0xff800000, 0xfc00},  // -infinity
    {0x38800000, 0x0400},  // 2^-14, the smallest normal
    {0x387fffff, 0x0400},  // rounds up to it
    {0x387fe000, 0x0400},  // a tie between it and the largest subnormal
    {0x387fc000, 0x03ff},  // the largest subnormal
    {0x33800000, 0x0001},  // 2^-24, the smallest subnormal
    {0x33000000, 0x0000},  // 2^-25: a tie, to zero
    {0x33000001, 0x0001},  // just above it
    {0xb3000000, 0x8000},  // -2^-25
    {0x33c00000, 0x0002},  // 1.5 x 2^-24: up to even
    {0x34200000, 0x0002},  // 2.5 x 2^-24: down to even
    {0x00000001, 0x0000},  // the smallest subnormal f32
    {0x807fffff, 0x8000},  // the largest one, negative
    {0x40490fdb, 0x4248},  // pi
    {0x3eaaaaab, 0x3555},  // 1/3
    {0xbdcccccd, 0xae66},  // -0.1
    {0x45001000, 0x6800},  // 2049
    {0x45003000, 0x6802},  // 2051
};

}  // namespace

TEST_CASE("fp16: all 65,536 patterns go to f32 and back; signalling NaNs become quiet") {
  size_t wrong = 0;
  for (uint32_t pattern = 0; pattern < 65536; ++pattern) {
    const auto half = static_cast<uint16_t>(pattern);
    const float value = Fp16::unpack(half);
    const bool nan = (half & 0x7c00) == 0x7c00 && (half & 0x3ff) != 0;
    const double sign = half & 0x8000 ? -1.0 : 1.0;
    const int exponent = half >> 10 & 31, fraction = half & 0x3ff;
    const double expected = exponent == 31  ? INFINITY
                            : exponent == 0 ? std::ldexp(fraction, -24)
                                            : std::ldexp(1024 + fraction, exponent - 25);
    wrong += nan ? !std::isnan(value) : value != sign * expected || std::signbit(value) != (sign < 0);
    wrong += Fp16::pack(value) != (nan ? half | 0x200 : half);
    if (!nan) wrong += bits_of(Fp16::round(value)) != bits_of(value);
  }
  CHECK(wrong == 0);
}

TEST_CASE("fp16: numpy's float16, at ties, subnormals and overflow") {
  for (const auto& [bits, half] : numpy) {
    INFO(std::hex << bits);
    CHECK(Fp16::pack(float_of(bits)) == half);
    CHECK(bits_of(Fp16::round(float_of(bits))) == bits_of(Fp16::unpack(half)));
  }
  for (const uint32_t nan : {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0x7fffffffu}) {
    CHECK(std::isnan(Fp16::round(float_of(nan))));
    CHECK(std::isnan(Fp16::unpack(Fp16::pack(float_of(nan)))));
    CHECK(std::isnan(Bf16::round(float_of(nan))));
    CHECK(std::isnan(Bf16::unpack(Bf16::pack(float_of(nan)))));
  }
}

TEST_CASE("fp16 and bf16: rounding in double, on a million f32 of all exponents") {
  const Random random(7, stream_of("half"));
  size_t wrong = 0;
  for (uint64_t i = 0; i < 1'000'000; ++i) {
    uint32_t bits = random.bits(i);
    if (i % 4 == 1) bits = (bits & 0x8fffffffu) | 0x30000000u;  // more of those where fp16 is subnormal
    if (i % 4 == 2) bits &= 0xffffe000u;                        // and ties of both formats
    if (i % 4 == 3) bits = (bits & 0xffff0000u) | 0x8000u;
    const float value = float_of(bits);
    if (std::isnan(value)) continue;
    const auto fp16 = static_cast<float>(testing::to_fp16(value));
    const auto bf16 = static_cast<float>(testing::to_bf16(value));
    wrong += bits_of(Fp16::round(value)) != bits_of(fp16) || bits_of(Bf16::round(value)) != bits_of(bf16);
    wrong += bits_of(Fp16::unpack(Fp16::pack(value))) != bits_of(fp16);
    wrong += bits_of(Bf16::unpack(Bf16::pack(value))) != bits_of(bf16);
  }
  CHECK(wrong == 0);
}

TEST_CASE("bf16: every pattern goes to f32 and back; ties to even, overflow to infinity") {
  size_t wrong = 0;
  for (uint32_t pattern = 0; pattern < 65536; ++pattern) {
    const bool nan = (pattern & 0x7f80) == 0x7f80 && (pattern & 0x7f) != 0;
    const float value = Bf16::unpack(static_cast<uint16_t>(pattern));
    wrong += Bf16::pack(value) != (nan ? pattern | 0x40 : pattern);
  }
  CHECK(wrong == 0);
  CHECK(Bf16::pack(float_of(0x3f808000)) == 0x3f80);
  CHECK(Bf16::pack(float_of(0x3f818000)) == 0x3f82);
  CHECK(Bf16::pack(float_of(0x3f808001)) == 0x3f81);
  CHECK(Bf16::pack(float_of(0x7f7fffff)) == 0x7f80);
  CHECK(Bf16::pack(float_of(0x7f7f7fff)) == 0x7f7f);
}

}  // namespace convoy
