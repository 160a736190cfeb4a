#include "comm/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/half.h"

namespace convoy {
namespace {

constexpr size_t block =
    4096;  // elements whose events are counted in 32 bits, as wide as the values: that vectorizes

uint32_t is_finite(float value) {
  return static_cast<uint32_t>((std::bit_cast<uint32_t>(value) & 0x7f800000u) != 0x7f800000u);
}

template <class Format>
uint32_t is_finite(uint16_t packed) {
  return static_cast<uint32_t>((packed & Format::infinite) != Format::infinite);
}

uint32_t is_zero(float value) {
  return static_cast<uint32_t>((std::bit_cast<uint32_t>(value) & 0x7fffffffu) == 0);
}

// f(begin, count) for every block, the sum of its answers.
template <class F>
int64_t over_blocks(size_t elements, F f) {
  int64_t sum = 0;
  for (size_t begin = 0; begin < elements; begin += block) sum += f(begin, std::min(block, elements - begin));
  return sum;
}

template <class Format>
RangeErrors round_leaf_as(float scale, std::span<float> gradient) {
  RangeErrors errors;
  errors.overflows = over_blocks(gradient.size(), [&](size_t begin, size_t count) {
    float* g = gradient.data() + begin;
    uint32_t overflows = 0, underflows = 0;
    for (size_t i = 0; i < count; ++i) {
      const float value = g[i], rounded = Format::round(scale * value);
      overflows += is_finite(value) & (is_finite(rounded) ^ 1u);
      underflows += is_zero(rounded) & (is_zero(value) ^ 1u);
      g[i] = rounded;
    }
    errors.underflows += underflows;
    return overflows;
  });
  return errors;
}

template <class Format>
int64_t add_left_as(std::span<float> to, std::span<const float> left) {
  return over_blocks(to.size(), [&](size_t begin, size_t count) {
    float* t = to.data() + begin;
    const float* l = left.data() + begin;
    uint32_t overflows = 0;
    for (size_t i = 0; i < count; ++i) {
      const float a = l[i], b = t[i], sum = Format::round(a + b);
      overflows += is_finite(a) & is_finite(b) & (is_finite(sum) ^ 1u);
      t[i] = sum;
    }
    return overflows;
  });
}

template <class Format, bool left>
int64_t add_packed_as(std::span<uint16_t> to, std::span<const uint16_t> other) {
  return over_blocks(to.size(), [&](size_t begin, size_t count) {
    uint16_t* t = to.data() + begin;
    const uint16_t* o = other.data() + begin;
    uint32_t overflows = 0;
    for (size_t i = 0; i < count; ++i) {
      const uint16_t a = left ? o[i] : t[i], b = left ? t[i] : o[i];
      const uint16_t sum = Format::pack(Format::unpack(a) + Format::unpack(b));
      overflows += is_finite<Format>(a) & is_finite<Format>(b) & (is_finite<Format>(sum) ^ 1u);
      t[i] = sum;
    }
    return overflows;
  });
}

// f(Fp16()) or f(Bf16()).
template <class F>
auto as_format(const Wire& wire, F f) {
  ensure(wire.rounds());
  return wire.format == Wire::Format::fp16 ? f(Fp16()) : f(Bf16());
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
  return as_format(wire, [&](auto format) { return round_leaf_as<decltype(format)>(wire.scale, gradient); });
}

int64_t add_left(const Wire& wire, std::span<float> to, std::span<const float> left) {
  if (wire.rounds())
    return as_format(wire, [&](auto format) { return add_left_as<decltype(format)>(to, left); });
  for (size_t i = 0; i < to.size(); ++i) to[i] = left[i] + to[i];
  return 0;
}

int64_t add_left(const Wire& wire, std::span<uint16_t> to, std::span<const uint16_t> left) {
  if (wire.phantom) return 0;
  return as_format(wire, [&](auto format) { return add_packed_as<decltype(format), true>(to, left); });
}

int64_t add_right(const Wire& wire, std::span<uint16_t> to, std::span<const uint16_t> right) {
  if (wire.phantom) return 0;
  return as_format(wire, [&](auto format) { return add_packed_as<decltype(format), false>(to, right); });
}

void pack(const Wire& wire, std::span<const float> rounded, std::span<uint16_t> to) {
  if (wire.phantom) return;
  as_format(wire, [&](auto format) {
    for (size_t i = 0; i < to.size(); ++i) to[i] = format.pack(rounded[i]);
  });
}

void unpack(const Wire& wire, std::span<const uint16_t> packed, std::span<float> to) {
  if (wire.phantom) return;
  const float factor = 1.0f / wire.scale;
  as_format(wire, [&](auto format) {
    for (size_t i = 0; i < to.size(); ++i) to[i] = factor * format.unpack(packed[i]);
  });
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
