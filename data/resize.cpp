#include "data/resize.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/error.h"

namespace convoy {
namespace {

// Weights for output positions [from, from + count) of `out` over an input of `in` pixels. Every operation and its order
// are Pillow's, in double; only the rounding to fixed point follows.
void make_filter(int in, int out, int from, int count, ResizeFilter& filter, std::vector<double>& exact) {
  const double scale = static_cast<double>(in) / out;
  const double widening = std::max(scale, 1.0);
  const double support = widening;  // the triangle reaches 1 to either side
  const double narrowing = 1.0 / widening;
  const auto reach = [&](int i) {  // first, end and centre of what is looked at
    const double center = (from + i + 0.5) * scale;
    return std::tuple(std::max(static_cast<int>(center - support + 0.5), 0),
                      std::min(static_cast<int>(center + support + 0.5), in), center);
  };
  filter.taps = 0;
  for (int i = 0; i < count; ++i) {
    const auto [first, end, center] = reach(i);
    filter.taps = std::max(filter.taps, end - first);
  }
  filter.first.resize(count);
  filter.weights.assign(static_cast<size_t>(count) * filter.taps, 0);
  exact.resize(filter.taps);
  for (int i = 0; i < count; ++i) {
    const auto [first, end, center] = reach(i);
    const int taps = end - first;
    filter.first[i] = std::min(first, in - filter.taps);  // weights of 0 fill up, on either side
    double sum = 0.0;
    for (int t = 0; t < taps; ++t) {
      exact[t] = std::max(1.0 - std::abs((t + first - center + 0.5) * narrowing), 0.0);
      sum += exact[t];
    }
    int32_t* weights =
        filter.weights.data() + static_cast<size_t>(i) * filter.taps + (first - filter.first[i]);
    for (int t = 0; t < taps; ++t) {
      const double share = sum != 0.0 ? exact[t] / sum : exact[t];
      weights[t] = static_cast<int32_t>(0.5 + share * (1 << resize_precision));
    }
  }
}

// Pillow 13's rule (#9549), measured: what shrinks much more in height than in width goes down first. The order decides
// where 8-bit rounding falls, and so single steps of 255; Pillow 12 and before went across first whatever the shape.
bool down_first(const Crop& crop, int width, int height) {
  return crop.height > height && crop.height - height > 2 * (crop.width - width);
}

// Never smaller again: what is added is set to zero each time.
void grow(std::vector<uint8_t>& scratch, size_t bytes) {
  if (scratch.size() < bytes) scratch.resize(bytes);
}

bool holds(int width, int height, const Crop& part) {
  return part.left >= 0 && part.top >= 0 && part.width > 0 && part.height > 0 &&
         part.width <= width - part.left && part.height <= height - part.top;
}

}  // namespace

bool resize_filters(const Crop& crop, int width, int height, const Crop& window, ResizeScratch& scratch) {
  ensure(holds(width, height, window));
  make_filter(crop.width, width, window.left, window.width, scratch.horizontal, scratch.exact);
  make_filter(crop.height, height, window.top, window.height, scratch.vertical, scratch.exact);
  return down_first(crop, width, height);
}

void resize(const Image& src, const Crop& crop, int width, int height, const Crop& window, Image& dst,
            ResizeScratch& scratch) {
  ensure(holds(src.width, src.height, crop) && holds(width, height, window) && &src != &dst);
  const size_t src_stride = static_cast<size_t>(src.width) * 3,
               dst_stride = static_cast<size_t>(window.width) * 3;
  dst.width = window.width;
  dst.height = window.height;
  dst.rgb.resize(dst_stride * window.height);

  const ResizeFilter &across = scratch.horizontal, &down = scratch.vertical;
  const bool down_before_across = resize_filters(crop, width, height, window, scratch);
  const uint8_t* at = src.rgb.data() + crop.top * src_stride + 3 * static_cast<size_t>(crop.left);
  const auto reach = [](const ResizeFilter& filter) { return filter.first.back() + filter.taps; };

  if (crop.width == width) {
    pass_down(at + 3 * static_cast<size_t>(window.left), src_stride, dst_stride, down, 0, dst.rgb.data());
  } else if (crop.height == height) {
    pass_across(at + window.top * src_stride, src_stride, window.height, across, 0, scratch.woven,
                dst.rgb.data());
  } else if (down_before_across) {
    const int left = across.first.front();
    const size_t stride = 3 * static_cast<size_t>(reach(across) - left);
    grow(scratch.between, stride * window.height);
    pass_down(at + 3 * static_cast<size_t>(left), src_stride, stride, down, 0, scratch.between.data());
    pass_across(scratch.between.data(), stride, window.height, across, left, scratch.woven, dst.rgb.data());
  } else {
    const int top = down.first.front(), rows = reach(down) - top;
    grow(scratch.between, dst_stride * rows);
    pass_across(at + top * src_stride, src_stride, rows, across, 0, scratch.woven, scratch.between.data());
    pass_down(scratch.between.data(), dst_stride, dst_stride, down, top, dst.rgb.data());
  }
}

void resize(const Image& src, const Crop& crop, int width, int height, Image& dst, ResizeScratch& scratch) {
  resize(src, crop, width, height, {0, 0, width, height}, dst, scratch);
}

}  // namespace convoy
