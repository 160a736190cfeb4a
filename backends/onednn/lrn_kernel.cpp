#include "backends/onednn/lrn_kernel.h"

#include <omp.h>

#include <algorithm>
#include <cmath>

namespace convoy::onednn {

namespace {

constexpr int64_t tile = 32;  // positions

// Copies `width` positions of all channels between a layout and rows of `tile` numbers, one row a channel.
template <bool load>
void move_columns(const ChannelLayout& l, int64_t image, int64_t first, int64_t width,
                  std::conditional_t<load, const float, float>* memory, float* rows) {
  for (int64_t c = 0; c < l.channels; ++c) {
    auto* at = memory + image * l.image_stride + c / l.block * l.block_stride + c % l.block * l.lane_stride +
               first * l.position_stride;
    float* row = rows + c * tile;
    for (int64_t p = 0; p < width; ++p) {
      if constexpr (load)
        row[p] = at[p * l.position_stride];
      else
        at[p * l.position_stride] = row[p];
    }
  }
}

// to[c] = sum of from[j] over the window of c.
void window_sums(const float* from, float* to, int64_t channels, int64_t half) {
  for (int64_t c = 0; c < channels; ++c) {
    float* sum = to + c * tile;
    std::fill(sum, sum + tile, 0.0f);
    for (int64_t j = std::max<int64_t>(c - half, 0); j <= std::min(c + half, channels - 1); ++j)
      for (int64_t p = 0; p < tile; ++p) sum[p] += from[j * tile + p];
  }
}

// power = s^-beta, s = k + alpha/size * sum.
void scales(const Lrn& op, float* sum, float* power, int64_t count) {
  const float factor = op.alpha / static_cast<float>(op.size);
  for (int64_t i = 0; i < count; ++i) sum[i] = op.k + factor * sum[i];
  if (op.beta == 0.75f) {
    for (int64_t i = 0; i < count; ++i) {
      const float root = std::sqrt(sum[i]);
      power[i] = 1.0f / (root * std::sqrt(root));
    }
  } else {
    for (int64_t i = 0; i < count; ++i) power[i] = std::pow(sum[i], -op.beta);
  }
}

// Calls work(image, first position, width, this thread's scratch) for every tile.
template <class Work>
void for_tiles(const ChannelLayout& l, float* scratch, const Work& work) {
  const int64_t tiles = (l.positions + tile - 1) / tile;
#pragma omp parallel for schedule(static)
  for (int64_t t = 0; t < l.images * tiles; ++t) {
    const int64_t first = t % tiles * tile;
    work(t / tiles, first, std::min(tile, l.positions - first),
         scratch + omp_get_thread_num() * lrn_scratch(l.channels));
  }
}

}  // namespace

int64_t lrn_scratch(int64_t channels) { return 5 * channels * tile; }

void lrn_forward(const ChannelLayout& l, const Lrn& op, const float* src, float* dst, float* scratch) {
  const int64_t count = l.channels * tile;
  for_tiles(l, scratch, [&](int64_t image, int64_t first, int64_t width, float* x) {
    float *square = x + count, *sum = x + 2 * count, *power = x + 3 * count;
    move_columns<true>(l, image, first, width, src, x);
    for (int64_t i = 0; i < count; ++i) square[i] = x[i] * x[i];
    window_sums(square, sum, l.channels, op.size / 2);
    scales(op, sum, power, count);
    for (int64_t i = 0; i < count; ++i) x[i] *= power[i];
    move_columns<false>(l, image, first, width, dst, x);
  });
}

void lrn_backward(const ChannelLayout& l, const Lrn& op, const float* src, const float* dst_gradient,
                  float* src_gradient, float* scratch) {
  const int64_t count = l.channels * tile;
  const float factor = 2.0f * op.alpha * op.beta / static_cast<float>(op.size);
  for_tiles(l, scratch, [&](int64_t image, int64_t first, int64_t width, float* x) {
    float *dy = x + count, *sum = x + 2 * count, *power = x + 3 * count, *work = x + 4 * count;
    move_columns<true>(l, image, first, width, src, x);
    move_columns<true>(l, image, first, width, dst_gradient, dy);
    for (int64_t i = 0; i < count; ++i) work[i] = x[i] * x[i];
    window_sums(work, sum, l.channels, op.size / 2);
    scales(op, sum, power, count);
    for (int64_t i = 0; i < count; ++i) work[i] = dy[i] * x[i] * power[i] / sum[i];
    window_sums(work, sum, l.channels, op.size / 2);
    for (int64_t i = 0; i < count; ++i) dy[i] = dy[i] * power[i] - factor * x[i] * sum[i];
    move_columns<false>(l, image, first, width, src_gradient, dy);
  });
}

}  // namespace convoy::onednn
