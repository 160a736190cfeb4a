// Element bodies of sums, ReLU and dropout. Those that only move memory take `width` neighbours at a time, as many as
// fill 16 bytes: body(i) computes elements [i*width, (i+1)*width).
#pragma once

#include "backends/fused/portable.h"

namespace convoy::fused {

template <class T, int width>
struct alignas(sizeof(T) * width) Lanes {
  T at[width];
};

constexpr int most_parts = 8;

// Where `positive` is given and not above zero: 0 (a NaN lets the gradient pass, as everywhere).
template <class T, int width>
struct SumBody {
  const Lanes<T, width>* parts[most_parts];
  int count;
  const Lanes<T, width>* positive;  // may be null
  Lanes<T, width>* y;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    float sum[width];
    const Lanes<T, width> first = parts[0][i];
    for (int lane = 0; lane < width; ++lane) sum[lane] = load(first.at[lane]);
    for (int p = 1; p < count; ++p) {
      const Lanes<T, width> part = parts[p][i];
      for (int lane = 0; lane < width; ++lane) sum[lane] += load(part.at[lane]);
    }
    if (positive != nullptr) {
      const Lanes<T, width> value = positive[i];
      for (int lane = 0; lane < width; ++lane)
        if (load(value.at[lane]) <= 0) sum[lane] = 0;
    }
    Lanes<T, width> out;
    for (int lane = 0; lane < width; ++lane) store(out.at[lane], sum[lane]);
    y[i] = out;
  }
};

template <class T, int width>
struct ReluBody {  // a NaN stays one
  const Lanes<T, width>* x;
  Lanes<T, width>* y;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    Lanes<T, width> values = x[i];
    for (int lane = 0; lane < width; ++lane)
      if (load(values.at[lane]) < 0) store(values.at[lane], 0.0f);
    y[i] = values;
  }
};

// port/batch.h's contract: the words are numbered in NCHW order over each worker's minibatch.
template <class T>
struct DropoutBody {
  const T* x;
  T* y;
  int n, h, w, c, channels;
  float scale;
  uint32_t threshold;
  uint64_t purpose, node;
  const uint64_t* seed;
  const int64_t* step;
  const int32_t *worker, *workers;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Coordinates at = place_of(i, h, w, c);
    if (at.c >= channels) {
      store(y[i], 0.0f);
      return;
    }
    const int share = n / *workers, of = at.n / share;
    const int64_t image = at.n - of * share;
    const uint64_t e = static_cast<uint64_t>(((image * channels + at.c) * h + at.h) * w + at.w);
    const uint64_t stream =
        stream_from(purpose, static_cast<uint64_t>(*step), static_cast<uint64_t>(*worker + of), node);
    const bool kept = philox_word(e / 4, static_cast<int>(e % 4), stream, *seed) >= threshold;
    store(y[i], kept ? load(x[i]) * scale : 0.0f);
  }
};

}  // namespace convoy::fused
