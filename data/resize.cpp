#include "data/resize.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace convoy {
namespace {

constexpr int precision = 32 - 8 - 2;  // 8 bits of pixel, 2 of headroom

// Weights for output positions [from, from + count) of `out` over an input of `in` pixels. Every operation and its order
// are Pillow's, in double; only the rounding to fixed point follows.
void make_filter(int in, int out, int from, int count, ResizeFilter& filter, std::vector<double>& exact) {
  const double scale = static_cast<double>(in) / out;
  const double widening = std::max(scale, 1.0);
  const double support = widening;  // the triangle reaches 1 to either side
  const double narrowing = 1.0 / widening;
  filter.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  filter.first.resize(count);
  filter.count.resize(count);
  filter.weights.resize(static_cast<size_t>(count) * filter.stride);
  exact.resize(filter.stride);
  for (int i = 0; i < count; ++i) {
    const double center = (from + i + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int taps = std::min(static_cast<int>(center + support + 0.5), in) - first;
    double sum = 0.0;
    for (int t = 0; t < taps; ++t) {
      exact[t] = std::max(1.0 - std::abs((t + first - center + 0.5) * narrowing), 0.0);
      sum += exact[t];
    }
    int32_t* weights = filter.weights.data() + static_cast<size_t>(i) * filter.stride;
    for (int t = 0; t < taps; ++t) {
      const double share = sum != 0.0 ? exact[t] / sum : exact[t];
      weights[t] = static_cast<int32_t>(0.5 + share * (1 << precision));
    }
    filter.first[i] = first;
    filter.count[i] = taps;
  }
}

uint8_t to_byte(int32_t sum) { return static_cast<uint8_t>(std::min(sum >> precision, 255)); }

void resize_row(const uint8_t* src, const ResizeFilter& filter, uint8_t* dst) {
  const size_t count = filter.first.size();
  for (size_t x = 0; x < count; ++x) {
    const uint8_t* pixel = src + 3 * static_cast<size_t>(filter.first[x]);
    const int32_t* weights = filter.weights.data() + x * filter.stride;
    int32_t red = 1 << (precision - 1), green = red, blue = red;
    for (int t = 0; t < filter.count[x]; ++t, pixel += 3) {
      red += pixel[0] * weights[t];
      green += pixel[1] * weights[t];
      blue += pixel[2] * weights[t];
    }
    dst[3 * x] = to_byte(red);
    dst[3 * x + 1] = to_byte(green);
    dst[3 * x + 2] = to_byte(blue);
  }
}

// One output row from `taps` rows, `stride` bytes apart: the inner loops run along the row and vectorize.
void blend_rows(const uint8_t* rows, size_t stride, const int32_t* weights, int taps, size_t bytes,
                int32_t* sums, uint8_t* dst) {
  std::fill(sums, sums + bytes, 1 << (precision - 1));
  for (int t = 0; t < taps; ++t, rows += stride) {
    const int32_t weight = weights[t];
    for (size_t i = 0; i < bytes; ++i) sums[i] += rows[i] * weight;
  }
  for (size_t i = 0; i < bytes; ++i) dst[i] = to_byte(sums[i]);
}

bool holds(int width, int height, const Crop& part) {
  return part.left >= 0 && part.top >= 0 && part.width > 0 && part.height > 0 &&
         part.width <= width - part.left && part.height <= height - part.top;
}

}  // namespace

void resize(const Image& src, const Crop& crop, int width, int height, const Crop& window, Image& dst,
            ResizeScratch& scratch) {
  ensure(holds(src.width, src.height, crop) && holds(width, height, window) && &src != &dst);
  const size_t src_stride = static_cast<size_t>(src.width) * 3,
               dst_stride = static_cast<size_t>(window.width) * 3;
  dst.width = window.width;
  dst.height = window.height;
  dst.rgb.resize(dst_stride * window.height);

  make_filter(crop.height, height, window.top, window.height, scratch.vertical, scratch.exact);
  const ResizeFilter& down = scratch.vertical;
  const int first_row = down.first.front(), last_row = down.first.back() + down.count.back();
  const uint8_t* rows =
      src.rgb.data() + (crop.top + first_row) * src_stride + 3 * static_cast<size_t>(crop.left);
  size_t stride = src_stride;
  if (crop.width != width) {
    make_filter(crop.width, width, window.left, window.width, scratch.horizontal, scratch.exact);
    scratch.rows.resize(dst_stride * (last_row - first_row));
    for (int y = 0; y < last_row - first_row; ++y)
      resize_row(rows + y * src_stride, scratch.horizontal, scratch.rows.data() + y * dst_stride);
    rows = scratch.rows.data();
    stride = dst_stride;
  } else {
    rows += 3 * static_cast<size_t>(window.left);
  }
  scratch.sums.resize(dst_stride);
  for (int y = 0; y < window.height; ++y)
    blend_rows(rows + (down.first[y] - first_row) * stride, stride,
               down.weights.data() + static_cast<size_t>(y) * down.stride, down.count[y], dst_stride,
               scratch.sums.data(), dst.rgb.data() + y * dst_stride);
}

void resize(const Image& src, const Crop& crop, int width, int height, Image& dst, ResizeScratch& scratch) {
  resize(src, crop, width, height, {0, 0, width, height}, dst, scratch);
}

}  // namespace convoy
