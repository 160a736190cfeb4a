// The two passes of a resize over rows of 8-bit RGB, in vector code for whatever the CPU has (base/clones.h): sums of
// pixels times weights in 22-bit fixed point, rounded to 8 bits. Integer arithmetic: the same bits everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace convoy {

constexpr int resize_precision = 32 - 8 - 2;  // bits of a weight: 8 are the pixel's, 2 headroom

// For each output position: the first of `taps` input positions, and their weights, of which some may be 0.
struct ResizeFilter {
  std::vector<int32_t> first, weights;  // [positions], [positions][taps]
  int taps = 0;
};

// `rows` rows, src_stride bytes apart, each to one pixel a filter position, dst_stride apart; `origin` is the column that
// src begins with. `woven` is scratch.
void pass_across(const uint8_t* src, size_t src_stride, int rows, const ResizeFilter& filter, int origin,
                 std::vector<int32_t>& woven, uint8_t* dst);
// The same in plain loops, for CPUs without wide vectors.
void pass_across_plain(const uint8_t* src, size_t src_stride, int rows, const ResizeFilter& filter,
                       int origin, uint8_t* dst);
// Each row of `bytes` bytes from `taps` input rows; `origin` is the row that src begins with.
void pass_down(const uint8_t* src, size_t stride, size_t bytes, const ResizeFilter& filter, int origin,
               uint8_t* dst);

}  // namespace convoy
