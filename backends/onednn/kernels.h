// The few passes that oneDNN would do in more passes over memory than needed or not at all: the residual sum with its ReLU, the
// sum of gradient contributions with the mask of the ReLU, padding, sums over channels. The element-wise ones run over the physical elements of a layout
// (zero padding of blocked layouts stays zero), so all operands have one layout. Threads share the range in fixed
// pieces, and of channels each has all: results do not depend on their number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace convoy::onednn {

void relu(const float* src, float* dst, size_t count);  // in place too
void add(const float* a, const float* b, float* dst, size_t count, bool then_relu);

// dst = parts[0] + parts[1] + ..., zero where `mask` (if any) is not above zero; dst may be one of the parts.
void sum(std::span<const float* const> parts, const float* mask, float* dst, size_t count);

struct Planes {  // [count][height][width]
  int64_t count, height, width;
};
// dst: [count][height + 2 rows][width + 2 columns], zeros around the planes of src.
void pad(const float* src, const Planes& planes, int64_t rows, int64_t columns, float* dst);

// [images][channels / block][pixels][block], block at most 16, or [images][pixels][channels]
struct BlockedMaps {
  int64_t images, channels, pixels, block;
  bool channels_last = false;
};
// Of each channel, over images and pixels: images' sums, added in their order.
void sum_channels(const float* maps, const BlockedMaps& shape, float* sums);

}  // namespace convoy::onednn
