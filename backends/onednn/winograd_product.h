// The matrix products between the transforms: R rows times two vectors in registers. Included by winograd_loops.h.
#pragma once

#include "backends/onednn/winograd_tile.h"

namespace convoy::onednn::winograd {

// m[r][0..2B) = sum over inputs c of a[c][r] * u[c][0..2B), for R tiles r and a panel of 2B outputs, c ascending.
// a: [blocks of B inputs][tiles][B], `a_block` numbers from one block to the next; u: [inputs][2B]; m: [R][2B]. What begins at
// `ahead` is fetched into L2 meanwhile, a line an input.
constexpr int64_t line = 16;  // numbers
template <class V, int R>
CONVOY_INLINE void multiply_tiles(const float* a, int64_t a_block, const float* u, int64_t blocks,
                                  const float* ahead, float* m) {
  constexpr int64_t B = lanes<V>;
  V sums[R][2];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) sums[r][0] = sums[r][1] = V{};
  for (int64_t block = 0; block < blocks; ++block, a += a_block) {
#pragma GCC unroll 2
    for (int64_t c = 0; c < B; ++c, u += 2 * B, ahead += line) {
      __builtin_prefetch(ahead, 0, 2);
      V left, right;
      load(left, u);
      load(right, u + B);
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r) {
        const float x = a[r * B + c];
        sums[r][0] += x * left;
        sums[r][1] += x * right;
      }
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
    store(sums[r][0], m + 2 * B * r);
    store(sums[r][1], m + 2 * B * r + B);
  }
}

// sums[r][0..2B) += sum over tiles t of a[t][r] * w[t][0..2B), for R inputs r, t ascending.
// a: [tiles][B]; w: [2][tiles][B], `w_block` numbers from one half to the other; sums: R rows of `row` numbers.
template <class V, int R>
CONVOY_INLINE void multiply_channels(const float* a, const float* w, int64_t w_block, int64_t tiles,
                                     float* sums, int64_t row) {
  constexpr int64_t B = lanes<V>;
  V of[R][2];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) of[r][0] = of[r][1] = V{};
#pragma GCC unroll 2
  for (int64_t t = 0; t < tiles; ++t, a += B, w += B) {
    V left, right;
    load(left, w);
    load(right, w + w_block);
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
      const float x = a[r];
      of[r][0] += x * left;
      of[r][1] += x * right;
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      V before;
      load(before, sums + r * row + h * B);
      before += of[r][h];
      store(before, sums + r * row + h * B);
    }
}

}  // namespace convoy::onednn::winograd
