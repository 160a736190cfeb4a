// Element bodies of local response normalization across channels (Krizhevsky et al. 2012, 3.3):
//   s_c = k + alpha/size * sum over the window of c of x^2,   y_c = x_c s_c^-beta
//   dx_c = dy_c s_c^-beta - 2 alpha beta/size * x_c * sum over the windows that hold c of dy_j y_j / s_j
#pragma once

#include <cmath>

#include "backends/fused/portable.h"

namespace convoy::fused {

struct LrnShape {
  int c, channels, half;  // the window reaches `half` channels to either side
  float share, k, beta;   // alpha/size
  CONVOY_PORTABLE int begin(int channel) const { return channel > half ? channel - half : 0; }
  CONVOY_PORTABLE int end(int channel) const {
    return channel + half + 1 < channels ? channel + half + 1 : channels;
  }
};

template <class T>
struct LrnForwardBody {
  const T* x;
  T* y;
  float* scale;
  LrnShape s;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const int channel = split(i, s.c).last;
    if (channel >= s.channels) {
      scale[i] = 1;
      store(y[i], 0.0f);
      return;
    }
    const T* pixel = x + (i - channel);
    float squares = 0;
    for (int j = s.begin(channel); j < s.end(channel); ++j) squares += load(pixel[j]) * load(pixel[j]);
    scale[i] = s.k + s.share * squares;
    store(y[i], load(x[i]) * std::pow(scale[i], -s.beta));
  }
};

template <class T>
struct LrnBackwardBody {
  const T *x, *y, *dy;
  const float* scale;
  T* dx;
  LrnShape s;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const int channel = split(i, s.c).last;
    if (channel >= s.channels) {
      store(dx[i], 0.0f);
      return;
    }
    const int64_t pixel = i - channel;
    float through = 0;
    for (int j = s.begin(channel); j < s.end(channel); ++j)
      through += load(dy[pixel + j]) * load(y[pixel + j]) / scale[pixel + j];
    store(dx[i], load(dy[i]) * std::pow(scale[i], -s.beta) - 2 * s.share * s.beta * load(x[i]) * through);
  }
};

}  // namespace convoy::fused
