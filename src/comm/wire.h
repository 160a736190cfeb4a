// The format in which gradients travel in the fixed-order sum, after Akiba, Suzuki, Fukuda (2017), "Extremely large
// minibatch SGD": half-precision communication; sums are taken in f32, master weights stay f32. With R = rounding to the
// format (base/half.h) and s = scale, every value of the canonical tree is rounded once, wherever it is computed:
//   leaf of worker w:  U = R(s g_w)        node:  U = R(U_left + U_right), the addition in f32        sum:  U_root / s
// Partial sums of an odd unit's left-to-right sum are nodes like any other; a single worker's gradient is a leaf and the
// root. So the bits are a function of the workers alone, and what a message carries is exact in 16 bits an element.
// The minibatch's batch-norm statistics, at the tail of the arena, are neither scaled nor rounded: they travel as f32.
// The caller owns all memory. f32 rounds nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "net/program.h"

namespace convoy {

struct Wire {
  enum class Format { f32, fp16, bf16 };
  Format format = Format::f32;
  float scale = 1.0f;  // a power of two; 1 for f32
  bool phantom =
      false;  // of simulated ranks without gradients: messages travel, 16-bit values are neither made nor added
  bool rounds() const { return format != Format::f32; }
  std::string name() const;  // "fp16, scale 1024"
};

// Values that left the format's range, counted where it happened: each edge of the tree is on one rank only, so the sum
// over ranks does not depend on their number.
struct RangeErrors {
  int64_t overflows = 0;   // the result is infinite, and what it was computed from is finite
  int64_t underflows = 0;  // a gradient that is not zero became zero; at the leaves, as no sum can
  RangeErrors& operator+=(const RangeErrors& other);
  bool operator==(const RangeErrors&) const = default;
};

RangeErrors round_leaf(const Wire& wire, std::span<float> gradient);  // in place
// On rounded values, to = R(left + to) or R(to + right) -- plain sums for f32. Return the overflows.
int64_t add_left(const Wire& wire, std::span<float> to, std::span<const float> left);
int64_t add_left(const Wire& wire, std::span<uint16_t> to, std::span<const uint16_t> left);
int64_t add_right(const Wire& wire, std::span<uint16_t> to, std::span<const uint16_t> right);

void pack(const Wire& wire, std::span<const float> rounded, std::span<uint16_t> to);
void descale(const Wire& wire, std::span<float> sum);  // divides by the scale
// Back to f32, and divided by the scale.
void unpack(const Wire& wire, std::span<const uint16_t> packed, std::span<float> to);

// How many elements at a bucket's front are gradients to be rounded; statistics follow. 0 for f32.
size_t rounded_elements(const Wire& wire, const Layout& layout, int bucket);
int64_t allreduce_bytes(const Wire& wire, const Layout& layout);  // of one step's gradients and statistics

}  // namespace convoy
