// What the element bodies need of a machine, the same on the host and on the device: the 16-bit storage types with their
// conversions (base/half.h on the host, the processor's own on the device; both round to nearest even), and Philox as in
// base/random.h. The one file of backends/fused that asks for the compiler.
#pragma once

#include <cstdint>

#include "backends/common/portable.h"

#if !defined(__CUDA_ARCH__)
#include "base/half.h"
#endif

namespace convoy::fused {

struct Half {  // IEEE 754 binary16
  uint16_t bits;
};
struct Brain {  // bfloat16
  uint16_t bits;
};

CONVOY_PORTABLE inline float load(float value) { return value; }

CONVOY_PORTABLE inline float load(Half value) {
#if defined(__CUDA_ARCH__)
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(value.bits));
  return wide;
#else
  return Fp16::unpack(value.bits);
#endif
}

CONVOY_PORTABLE inline float load(Brain value) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
#else
  return Bf16::unpack(value.bits);
#endif
}

CONVOY_PORTABLE inline void store(float& to, float value) { to = value; }

CONVOY_PORTABLE inline void store(Half& to, float value) {
#if defined(__CUDA_ARCH__)
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(value));
#else
  to.bits = Fp16::pack(value);
#endif
}

CONVOY_PORTABLE inline void store(Brain& to, float value) {
#if defined(__CUDA_ARCH__)
  const uint32_t bits = __float_as_uint(value);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  to.bits = static_cast<uint16_t>((nan ? bits | 0x400000u : bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
#else
  to.bits = Bf16::pack(value);
#endif
}

// Word `lane` of a block of Philox4x32-10.
CONVOY_PORTABLE inline uint32_t philox_word(uint64_t block, int lane, uint64_t stream, uint64_t seed) {
  uint32_t c0 = static_cast<uint32_t>(block), c1 = static_cast<uint32_t>(block >> 32);
  uint32_t c2 = static_cast<uint32_t>(stream), c3 = static_cast<uint32_t>(stream >> 32);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return lane == 0 ? c0 : lane == 1 ? c1 : lane == 2 ? c2 : c3;
}

// stream_of(purpose, a, b, c) of base/random.h, from the hash of the purpose.
CONVOY_PORTABLE inline uint64_t stream_from(uint64_t hash, uint64_t a, uint64_t b, uint64_t c) {
  const uint64_t values[3] = {a, b, c};
  for (int i = 0; i < 3; ++i) {
    hash += values[i] + 0x9e3779b97f4a7c15ull;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
    hash ^= hash >> 31;
  }
  return hash;
}

// i as a place in a tensor of `c` channels ... The divisions are of 32 bits wherever the numbers are: on a GPU those of
// 64 bits cost as much as the memory that an element moves.
struct Split {
  int64_t rest;
  int last;
};
CONVOY_PORTABLE inline Split split(int64_t i, int by) {
  if (i <= 0xffffffff) {
    const uint32_t small = static_cast<uint32_t>(i), divisor = static_cast<uint32_t>(by);
    const uint32_t rest = small / divisor;
    return {static_cast<int64_t>(rest), static_cast<int>(small - rest * divisor)};
  }
  return {i / by, static_cast<int>(i % by)};
}

// A place in an NHWC tensor.
struct Coordinates {
  int n, h, w, c;
};
CONVOY_PORTABLE inline Coordinates place_of(int64_t i, int h, int w, int c) {
  const Split channel = split(i, c), column = split(channel.rest, w), row = split(column.rest, h);
  return {static_cast<int>(row.rest), row.last, column.last, channel.last};
}

}  // namespace convoy::fused
