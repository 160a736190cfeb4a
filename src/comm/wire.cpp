#include "comm/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/clones.h"
#include "base/error.h"
#include "base/half.h"

namespace convoy {
namespace {

constexpr size_t block =
    4096;  // elements whose events are counted in 32 bits, as wide as the values: that vectorizes

[[gnu::always_inline]] inline uint32_t is_finite(float value) {
  return static_cast<uint32_t>((std::bit_cast<uint32_t>(value) & 0x7f800000u) != 0x7f800000u);
}

template <class Format>
[[gnu::always_inline]] inline uint32_t is_finite(uint16_t packed) {
  return static_cast<uint32_t>((packed & Format::infinite) != Format::infinite);
}

[[gnu::always_inline]] inline uint32_t is_zero(float value) {
  return static_cast<uint32_t>((std::bit_cast<uint32_t>(value) & 0x7fffffffu) == 0);
}

// One block of each kind of work, written once for both formats and then compiled for each and for every instruction set: at
// four numbers at a time these loops take longer than the memory that they read.
#define CONVOY_INLINE [[gnu::always_inline]] inline

template <class Format>
CONVOY_INLINE RangeErrors round_block(float scale, float* g, size_t count) {
  uint32_t overflows = 0, underflows = 0;
  for (size_t i = 0; i < count; ++i) {
    const float value = g[i], rounded = Format::round(scale * value);
    overflows += is_finite(value) & (is_finite(rounded) ^ 1u);
    underflows += is_zero(rounded) & (is_zero(value) ^ 1u);
    g[i] = rounded;
  }
  return {overflows, underflows};
}

template <class Format>
CONVOY_INLINE uint32_t add_block(float* t, const float* l, size_t count) {
  uint32_t overflows = 0;
  for (size_t i = 0; i < count; ++i) {
    const float a = l[i], b = t[i], sum = Format::round(a + b);
    overflows += is_finite(a) & is_finite(b) & (is_finite(sum) ^ 1u);
    t[i] = sum;
  }
  return overflows;
}

template <class Format, bool left>
CONVOY_INLINE uint32_t add_packed_block(uint16_t* t, const uint16_t* o, size_t count) {
  uint32_t overflows = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint16_t a = left ? o[i] : t[i], b = left ? t[i] : o[i];
    const uint16_t sum = Format::pack(Format::unpack(a) + Format::unpack(b));
    overflows += is_finite<Format>(a) & is_finite<Format>(b) & (is_finite<Format>(sum) ^ 1u);
    t[i] = sum;
  }
  return overflows;
}

template <class Format>
CONVOY_INLINE void pack_block(const float* from, uint16_t* to, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = Format::pack(from[i]);
}

template <class Format>
CONVOY_INLINE void unpack_block(float factor, const uint16_t* from, float* to, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = factor * Format::unpack(from[i]);
}

#undef CONVOY_INLINE

struct Fp16Blocks {
  CONVOY_CLONES static RangeErrors round(float scale, float* g, size_t count) {
    return round_block<Fp16>(scale, g, count);
  }
  CONVOY_CLONES static uint32_t add(float* t, const float* l, size_t count) {
    return add_block<Fp16>(t, l, count);
  }
  CONVOY_CLONES static uint32_t add_packed_left(uint16_t* t, const uint16_t* o, size_t count) {
    return add_packed_block<Fp16, true>(t, o, count);
  }
  CONVOY_CLONES static uint32_t add_packed_right(uint16_t* t, const uint16_t* o, size_t count) {
    return add_packed_block<Fp16, false>(t, o, count);
  }
  CONVOY_CLONES static void pack(const float* from, uint16_t* to, size_t count) {
    pack_block<Fp16>(from, to, count);
  }
  CONVOY_CLONES static void unpack(float factor, const uint16_t* from, float* to, size_t count) {
    unpack_block<Fp16>(factor, from, to, count);
  }
};
struct Bf16Blocks {
  CONVOY_CLONES static RangeErrors round(float scale, float* g, size_t count) {
    return round_block<Bf16>(scale, g, count);
  }
  CONVOY_CLONES static uint32_t add(float* t, const float* l, size_t count) {
    return add_block<Bf16>(t, l, count);
  }
  CONVOY_CLONES static uint32_t add_packed_left(uint16_t* t, const uint16_t* o, size_t count) {
    return add_packed_block<Bf16, true>(t, o, count);
  }
  CONVOY_CLONES static uint32_t add_packed_right(uint16_t* t, const uint16_t* o, size_t count) {
    return add_packed_block<Bf16, false>(t, o, count);
  }
  CONVOY_CLONES static void pack(const float* from, uint16_t* to, size_t count) {
    pack_block<Bf16>(from, to, count);
  }
  CONVOY_CLONES static void unpack(float factor, const uint16_t* from, float* to, size_t count) {
    unpack_block<Bf16>(factor, from, to, count);
  }
};

// f(begin, count) for every block, the sum of its answers.
template <class F>
int64_t over_blocks(size_t elements, F f) {
  int64_t sum = 0;
  for (size_t begin = 0; begin < elements; begin += block) sum += f(begin, std::min(block, elements - begin));
  return sum;
}

// f(Fp16Blocks()) or f(Bf16Blocks()).
template <class F>
auto as_format(const Wire& wire, F f) {
  ensure(wire.rounds());
  return wire.format == Wire::Format::fp16 ? f(Fp16Blocks()) : f(Bf16Blocks());
}

}  // namespace

std::string Wire::name() const {
  if (!rounds()) return "f32";
  return fmt::format("{}, scale {}", format == Format::fp16 ? "fp16" : "bf16", scale);
}

RangeErrors& RangeErrors::operator+=(const RangeErrors& other) {
  overflows += other.overflows;
  underflows += other.underflows;
  return *this;
}

RangeErrors round_leaf(const Wire& wire, std::span<float> gradient) {
  if (!wire.rounds() || wire.phantom) return {};
  return as_format(wire, [&](auto blocks) {
    RangeErrors errors;
    for (size_t begin = 0; begin < gradient.size(); begin += block)
      errors += blocks.round(wire.scale, gradient.data() + begin, std::min(block, gradient.size() - begin));
    return errors;
  });
}

int64_t add_left(const Wire& wire, std::span<float> to, std::span<const float> left) {
  if (wire.rounds())
    return as_format(wire, [&](auto blocks) {
      return over_blocks(to.size(), [&](size_t begin, size_t count) {
        return blocks.add(to.data() + begin, left.data() + begin, count);
      });
    });
  for (size_t i = 0; i < to.size(); ++i) to[i] = left[i] + to[i];
  return 0;
}

int64_t add_left(const Wire& wire, std::span<uint16_t> to, std::span<const uint16_t> left) {
  if (wire.phantom) return 0;
  return as_format(wire, [&](auto blocks) {
    return over_blocks(to.size(), [&](size_t begin, size_t count) {
      return blocks.add_packed_left(to.data() + begin, left.data() + begin, count);
    });
  });
}

int64_t add_right(const Wire& wire, std::span<uint16_t> to, std::span<const uint16_t> right) {
  if (wire.phantom) return 0;
  return as_format(wire, [&](auto blocks) {
    return over_blocks(to.size(), [&](size_t begin, size_t count) {
      return blocks.add_packed_right(to.data() + begin, right.data() + begin, count);
    });
  });
}

void pack(const Wire& wire, std::span<const float> rounded, std::span<uint16_t> to) {
  if (wire.phantom) return;
  as_format(wire, [&](auto blocks) { blocks.pack(rounded.data(), to.data(), to.size()); });
}

void unpack(const Wire& wire, std::span<const uint16_t> packed, std::span<float> to) {
  if (wire.phantom) return;
  const float factor = 1.0f / wire.scale;
  as_format(wire, [&](auto blocks) { blocks.unpack(factor, packed.data(), to.data(), to.size()); });
}

void descale(const Wire& wire, std::span<float> sum) {
  const float factor = 1.0f / wire.scale;
  for (float& value : sum) value = factor * value;
}

size_t rounded_elements(const Wire& wire, const Layout& layout, int bucket) {
  if (!wire.rounds()) return 0;
  const Bucket& range = layout.buckets.at(static_cast<size_t>(bucket));
  return static_cast<size_t>(std::clamp(first_statistic(layout), range.begin, range.end) - range.begin);
}

int64_t allreduce_bytes(const Wire& wire, const Layout& layout) {
  const int64_t gradients = first_statistic(layout);
  return gradients * (wire.rounds() ? 2 : 4) + (layout.elements - gradients) * 4;
}

}  // namespace convoy
