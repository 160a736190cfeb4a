// The two 16-bit floating-point formats: fp16 (IEEE 754 binary16: 11 significant bits, 6.1e-5 ... 65504, subnormals down
// to 2^-24) and bf16 (the upper half of an f32: 8 significant bits, the range of f32).
//   round   f32 to the nearest value of the format, ties to even, beyond the largest: infinity; still an f32
//   pack    the same, as 16 bits         unpack  back to f32, exactly
// NaNs become quiet and keep the payload that fits, as in the conversions of processors (F16C). Integer code without
// branches, so that loops over it vectorize; the additions of constants in it are exact or round as the format does,
// and come out the same in the processor's flush-to-zero modes.
#pragma once

#include <bit>
#include <cstdint>

namespace convoy {

struct Fp16 {
  static constexpr uint16_t infinite = 0x7c00;  // the exponent of infinities and NaNs
  static float round(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value), m = bits & 0x7fffffffu;
    // Below 2^-14 the spacing is 2^-24, which is that of f32 from 0.5 on.
    const uint32_t subnormal = std::bit_cast<uint32_t>((std::bit_cast<float>(m) + 0.5f) - 0.5f);
    const uint32_t normal = (m + 0xfffu + ((m >> 13) & 1u)) & ~0x1fffu;
    const uint32_t nan = (m | 0x400000u) & ~0x1fffu;
    const uint32_t finite = choose(below(m, 0x38800000u), subnormal, normal);
    const uint32_t special = choose(below(infinity, m), nan, infinity);
    return std::bit_cast<float>(choose(below(m, overflow), finite, special) | (bits & 0x80000000u));
  }

  static uint16_t pack(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value), m = bits & 0x7fffffffu;
    const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(m) + 0.5f) - 0x3f000000u;
    const uint32_t normal = (m - (112u << 23) + 0xfffu + ((m >> 13) & 1u)) >> 13;
    const uint32_t nan = 0x7e00u | ((m >> 13) & 0x3ffu);
    const uint32_t finite = choose(below(m, 0x38800000u), subnormal, normal);
    const uint32_t special = choose(below(infinity, m), nan, 0x7c00u);
    return static_cast<uint16_t>(choose(below(m, overflow), finite, special) | (bits >> 16 & 0x8000u));
  }

  static float unpack(uint16_t half) {
    const uint32_t m = (half & 0x7fffu) << 13, exponent = m & 0x0f800000u;
    const uint32_t subnormal =
        std::bit_cast<uint32_t>(std::bit_cast<float>(m + (113u << 23)) - std::bit_cast<float>(113u << 23));
    const uint32_t normal = m + (112u << 23) + (all_ones(exponent == 0x0f800000u) & 112u << 23);
    return std::bit_cast<float>(choose(all_ones(exponent == 0), subnormal, normal) | (half & 0x8000u) << 16);
  }

 private:
  static constexpr uint32_t infinity = 0x7f800000u;
  static constexpr uint32_t overflow = 0x477ff000u;  // 65520, half-way between 65504 and 65536
  // Conditions are masks: of ?: the compiler would make branches, for the sake of the additions on one side.
  static uint32_t all_ones(bool condition) { return 0u - static_cast<uint32_t>(condition); }
  static uint32_t choose(uint32_t mask, uint32_t yes, uint32_t no) { return (yes & mask) | (no & ~mask); }
  // Of magnitudes, which have no sign bit: SSE2 compares signed integers only.
  static uint32_t below(uint32_t a, uint32_t b) {
    return all_ones(static_cast<int32_t>(a) < static_cast<int32_t>(b));
  }
};

struct Bf16 {
  static constexpr uint16_t infinite = 0x7f80;
  static float round(float value) { return std::bit_cast<float>(upper(value) & 0xffff0000u); }
  static uint16_t pack(float value) { return static_cast<uint16_t>(upper(value) >> 16); }
  static float unpack(uint16_t half) { return std::bit_cast<float>(uint32_t{half} << 16); }

 private:
  static uint32_t upper(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const bool nan = static_cast<int32_t>(bits & 0x7fffffffu) > 0x7f800000;
    return nan ? bits | 0x400000u : bits + 0x7fffu + ((bits >> 16) & 1u);
  }
};

}  // namespace convoy
