// Element bodies of pooling: padding never wins a maximum and counts as zeros in an average, which divides by the full
// kernel; of equal values the first in reading order is the maximum, and a NaN wins over everything. The backward pass
// gathers: each input element adds up what the windows that hold it have for it, in reading order.
#pragma once

#include "backends/fused/portable.h"

namespace convoy::fused {

struct PoolShape {
  int h, w, out_h, out_w, c;  // of the input and the output, NHWC
  int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
};

template <class T>
struct MaxPoolBody {
  const T* x;
  T* y;
  uint8_t* choice;  // may be null
  PoolShape s;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Coordinates at = place_of(i, s.out_h, s.out_w, s.c);
    float best = 0;
    int chosen = 255;
    for (int ky = 0; ky < s.kernel_h; ++ky) {
      const int row = at.h * s.stride_h - s.pad_h + ky;
      if (row < 0 || row >= s.h) continue;
      for (int kx = 0; kx < s.kernel_w; ++kx) {
        const int column = at.w * s.stride_w - s.pad_w + kx;
        if (column < 0 || column >= s.w) continue;
        const float value = load(x[((static_cast<int64_t>(at.n) * s.h + row) * s.w + column) * s.c + at.c]);
        if (chosen == 255 || value > best || (value != value && best == best)) {
          best = value;
          chosen = ky * s.kernel_w + kx;
        }
      }
    }
    store(y[i], best);
    if (choice != nullptr) choice[i] = static_cast<uint8_t>(chosen);
  }
};

template <class T>
struct AveragePoolBody {
  const T* x;
  T* y;
  PoolShape s;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Coordinates at = place_of(i, s.out_h, s.out_w, s.c);
    float sum = 0;
    for (int ky = 0; ky < s.kernel_h; ++ky) {
      const int row = at.h * s.stride_h - s.pad_h + ky;
      if (row < 0 || row >= s.h) continue;
      for (int kx = 0; kx < s.kernel_w; ++kx) {
        const int column = at.w * s.stride_w - s.pad_w + kx;
        if (column >= 0 && column < s.w)
          sum += load(x[((static_cast<int64_t>(at.n) * s.h + row) * s.w + column) * s.c + at.c]);
      }
    }
    store(y[i], sum / static_cast<float>(s.kernel_h * s.kernel_w));
  }
};

template <class T>
struct PoolBackwardBody {  // choice null: of an average
  const T* dy;
  const uint8_t* choice;
  T* dx;
  PoolShape s;
  CONVOY_PORTABLE static int first_window(int at, int pad, int kernel, int stride) {
    const int past = at + pad - kernel + 1;
    return past <= 0 ? 0 : (past + stride - 1) / stride;
  }
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Coordinates at = place_of(i, s.h, s.w, s.c);
    const float count = static_cast<float>(s.kernel_h * s.kernel_w);
    float sum = 0;
    for (int y = first_window(at.h, s.pad_h, s.kernel_h, s.stride_h);
         y < s.out_h && y * s.stride_h - s.pad_h <= at.h; ++y)
      for (int x = first_window(at.w, s.pad_w, s.kernel_w, s.stride_w);
           x < s.out_w && x * s.stride_w - s.pad_w <= at.w; ++x) {
        const int64_t from = ((static_cast<int64_t>(at.n) * s.out_h + y) * s.out_w + x) * s.c + at.c;
        const int mine = (at.h - y * s.stride_h + s.pad_h) * s.kernel_w + at.w - x * s.stride_w + s.pad_w;
        if (choice == nullptr)
          sum += load(dy[from]) / count;
        else if (choice[from] == mine)
          sum += load(dy[from]);
      }
    store(dx[i], sum);
  }
};

}  // namespace convoy::fused
