#include "backends/onednn/kernels.h"

#include <algorithm>
#include <cstdint>

namespace convoy::onednn {

// Signed loop counters: OpenMP's vectorized loops are best with them. Comparisons are written so that a NaN goes through.
void relu(const float* src, float* dst, size_t count) {
  const auto n = static_cast<int64_t>(count);
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < n; ++i) dst[i] = src[i] < 0.0f ? 0.0f : src[i];
}

void add(const float* a, const float* b, float* dst, size_t count, bool then_relu) {
  const auto n = static_cast<int64_t>(count);
  if (then_relu) {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < n; ++i) {
      const float sum = a[i] + b[i];
      dst[i] = sum < 0.0f ? 0.0f : sum;
    }
  } else {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < n; ++i) dst[i] = a[i] + b[i];
  }
}

namespace {

void sum_two(const float* a, const float* b, const float* mask, float* dst, int64_t n) {
  if (mask != nullptr) {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < n; ++i) {
      const float sum = a[i] + b[i];  // unconditional, or the loop is not vectorized
      dst[i] = mask[i] <= 0.0f ? 0.0f : sum;
    }
  } else {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < n; ++i) dst[i] = a[i] + b[i];
  }
}

void keep_where(const float* src, const float* mask, float* dst, int64_t n) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < n; ++i) {
    const float value = src[i];
    dst[i] = mask[i] <= 0.0f ? 0.0f : value;
  }
}

}  // namespace

void sum(std::span<const float* const> parts, const float* mask, float* dst, size_t count) {
  const auto n = static_cast<int64_t>(count);
  if (parts.size() == 1) {
    keep_where(parts[0], mask, dst, n);
  } else if (parts.size() == 2) {
    sum_two(parts[0], parts[1], mask, dst, n);
  } else {  // element by element, since dst may be any of the parts
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; ++i) {
      float total = 0.0f;
      for (const float* part : parts) total += part[i];
      dst[i] = mask != nullptr && mask[i] <= 0.0f ? 0.0f : total;
    }
  }
}

void pad(const float* src, const Planes& planes, int64_t rows, int64_t columns, float* dst) {
  const int64_t height = planes.height, width = planes.width, wide = width + 2 * columns;
#pragma omp parallel for schedule(static)
  for (int64_t plane = 0; plane < planes.count; ++plane) {
    const float* from = src + plane * height * width;
    float* to = std::fill_n(dst + plane * (height + 2 * rows) * wide, rows * wide, 0.0f);
    for (int64_t y = 0; y < height; ++y, from += width) {
      to = std::fill_n(to, columns, 0.0f);
      to = std::copy_n(from, width, to);
      to = std::fill_n(to, columns, 0.0f);
    }
    std::fill_n(to, rows * wide, 0.0f);
  }
}

void sum_channels(const float* maps, const BlockedMaps& shape, float* sums) {
  constexpr int64_t widest = 16;
  const int64_t blocks = shape.channels / shape.block;
  const bool last = shape.channels_last;
#pragma omp parallel for schedule(static)
  for (int64_t b = 0; b < blocks; ++b) {
    float total[widest] = {};
    for (int64_t image = 0; image < shape.images; ++image) {
      const float* from =
          maps + image * shape.channels * shape.pixels + b * shape.block * (last ? 1 : shape.pixels);
      float of_image[widest] = {};
      for (int64_t p = 0; p < shape.pixels; ++p, from += last ? shape.channels : shape.block)
        for (int64_t c = 0; c < shape.block; ++c) of_image[c] += from[c];
      for (int64_t c = 0; c < shape.block; ++c) total[c] += of_image[c];
    }
    std::copy_n(total, shape.block, sums + b * shape.block);
  }
}

}  // namespace convoy::onednn
