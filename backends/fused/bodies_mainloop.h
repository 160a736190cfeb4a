// Element bodies of main-loop fusion (mainloop.h): a batch norm's statistics out of a convolution's sums, the residual sum
// of normalized maps, and the last step of batch norm's backward pass. The maps' bodies take `width` neighbouring channels
// at a time, as many as fill 16 bytes, or one where the channels are no multiple of them.
#pragma once

#include <cmath>

#include "backends/fused/bodies_pointwise.h"

namespace convoy::fused {

struct NormalizedBody {  // (x - mean) inv_std scale + shift, in the order in which NormForward rounds
  const float *mean, *inv_std, *scale, *shift;
  CONVOY_PORTABLE float standard(float x, int c) const { return (x - mean[c]) * inv_std[c]; }
  CONVOY_PORTABLE float operator()(float x, int c) const { return standard(x, c) * scale[c] + shift[c]; }
};

template <class T>
struct NormFinalizeBody {
  const float *sum, *squares, *scale, *shift;
  float *mean, *inv_std, *variance;
  T *to_scale, *to_shift;  // may be null
  double count, epsilon;
  CONVOY_PORTABLE void operator()(int64_t c) const {
    const double average = static_cast<double>(sum[c]) / count;
    double spread = static_cast<double>(squares[c]) / count - average * average;
    if (spread < 0) spread = 0;  // a NaN stays one
    const double inverse = 1.0 / std::sqrt(spread + epsilon);
    mean[c] = static_cast<float>(average);
    inv_std[c] = static_cast<float>(inverse);
    variance[c] = static_cast<float>(count > 1 ? spread * (count / (count - 1)) : 0.0);
    if (to_scale == nullptr) return;
    const double slope = static_cast<double>(scale[c]) * inverse;
    store(to_scale[c], static_cast<float>(slope));
    store(to_shift[c], static_cast<float>(static_cast<double>(shift[c]) - average * slope));
  }
};

template <class T, int width>
struct NormJoinBody {
  using Pack = Lanes<T, width>;
  const Pack* x;
  const Pack* other_x;   // may be null
  const Pack* residual;  // may be null
  Pack* y;
  uint8_t* mask;  // may be null; of width 8 alone: a byte each
  NormalizedBody norm, other;
  int packs;  // of a position
  bool relu;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const int first = split(i, packs).last * width;
    float value[width];
    const Pack from = x[i];
    for (int lane = 0; lane < width; ++lane) value[lane] = norm(load(from.at[lane]), first + lane);
    if (other_x != nullptr) {
      const Pack beside = other_x[i];
      for (int lane = 0; lane < width; ++lane) value[lane] += other(load(beside.at[lane]), first + lane);
    }
    if (residual != nullptr) {
      const Pack beside = residual[i];
      for (int lane = 0; lane < width; ++lane) value[lane] += load(beside.at[lane]);
    }
    Pack out;
    uint32_t bits = 0;
    for (int lane = 0; lane < width; ++lane) {
      store(out.at[lane], relu && value[lane] < 0 ? 0.0f : value[lane]);
      if (!(load(out.at[lane]) <= 0)) bits |= 1u << (lane % 8);
    }
    y[i] = out;
    if (mask != nullptr) mask[i] = static_cast<uint8_t>(bits);
  }
};

template <class T>
struct MaskBody {  // of y's elements [8 i, 8 i + 8): where bodies of another width wrote y
  const T* y;
  uint8_t* mask;
  int64_t elements;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    uint32_t bits = 0;
    for (int lane = 0; lane < 8 && 8 * i + lane < elements; ++lane)
      if (!(load(y[8 * i + lane]) <= 0)) bits |= 1u << lane;
    mask[i] = static_cast<uint8_t>(bits);
  }
};

template <class T, int width>
struct NormApplyBody {
  using Pack = Lanes<T, width>;
  const Pack* g;
  const Pack* x;
  Pack* dx;
  NormalizedBody norm;
  const float *dscale, *dshift;
  float share;  // 1/n
  int packs;    // of a position
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const int first = split(i, packs).last * width;
    const Pack gradient = g[i], from = x[i];
    Pack out;
    for (int lane = 0; lane < width; ++lane) {
      const int c = first + lane;
      const float slope = norm.scale[c] * norm.inv_std[c];
      const float even = dshift[c] * share, along = dscale[c] * share;
      const float standard = norm.standard(load(from.at[lane]), c);
      store(out.at[lane], slope * (load(gradient.at[lane]) - even - standard * along));
    }
    dx[i] = out;
  }
};

}  // namespace convoy::fused
