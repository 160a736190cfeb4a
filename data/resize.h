// Pillow's antialiased bilinear resize, bit for bit: a triangle filter as wide as the reduction, weights in 22-bit fixed
// point, two passes with rounding to 8 bits between them (src/libImaging/Resample.c as of Pillow 13: horizontal first,
// except where the height shrinks much more than the width; earlier Pillows differ there by a step of 255 at most).
// resize(src, crop, ..) equals src.crop(crop).resize((width, height), BILINEAR), which is what torchvision does: the
// filter never reads outside the crop. The crop is read in place, and only the wanted window of the result is computed.
// Integer arithmetic: the same bits on every machine. The caller owns dst and scratch; both are reused.
#pragma once

#include <cstdint>
#include <vector>

#include "data/decode.h"
#include "data/resize_passes.h"

namespace convoy {

struct ResizeScratch {
  ResizeFilter horizontal, vertical;
  std::vector<double> exact;
  std::vector<int32_t> woven;
  std::vector<uint8_t> between;
};

void resize(const Image& src, const Crop& crop, int width, int height, Image& dst, ResizeScratch& scratch);
// Only `window` of the width x height result: dst becomes window.width x window.height.
void resize(const Image& src, const Crop& crop, int width, int height, const Crop& window, Image& dst,
            ResizeScratch& scratch);

// The same as a table, for who computes it elsewhere: scratch.horizontal and .vertical become the filters of `window`, their
// first pixels counted from the crop's corner. Returns which pass rounds first: true, down. (A side that keeps its size has
// weights of 1, which change nothing in either order.)
bool resize_filters(const Crop& crop, int width, int height, const Crop& window, ResizeScratch& scratch);

}  // namespace convoy
