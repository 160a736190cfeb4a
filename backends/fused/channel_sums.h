// The interpreter's sums by channel: channels are taken in bunches that lie side by side in memory; sums run over an image's
// positions, then over images, in double, in an order that no number of threads changes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "backends/fused/tensor.h"

namespace convoy::fused {

constexpr int bunch = 16;
using Sums = std::array<double, bunch>;

// The images [first, first + count) of a tensor.
struct Part {
  const Tensor& tensor;
  int first, count;

  int64_t pixels() const { return int64_t{tensor.h} * tensor.w; }
  int64_t begin() const { return first * pixels() * tensor.c; }
  int64_t end() const { return (first + count) * pixels() * tensor.c; }
  double elements() const { return static_cast<double>(count * pixels()); }  // of a channel

  // f(element, channel - from) of channels [from, to)
  template <class F>
  void each(int from, int to, F f) const {
    for (int64_t p = first * pixels(); p < (first + count) * pixels(); ++p)
      for (int c = from; c < to; ++c) f(p * tensor.c + c, static_cast<size_t>(c - from));
  }
  template <class F>
  Sums sums(int from, int to, F f) const {
    Sums total{};
    for (int i = first; i < first + count; ++i) {
      Sums image{};
      Part{tensor, i, 1}.each(from, to, [&](int64_t e, size_t lane) { image[lane] += f(e, lane); });
      for (size_t lane = 0; lane < image.size(); ++lane) total[lane] += image[lane];
    }
    return total;
  }
};

template <class F>
void for_bunches(int channels, int threads, F f) {  // f(from, to)
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int from = 0; from < channels; from += bunch) f(from, std::min(from + bunch, channels));
}

}  // namespace convoy::fused
