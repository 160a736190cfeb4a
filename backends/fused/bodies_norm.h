// Element bodies around batch norm (Ioffe & Szegedy 2015, Alg. 1) by channel, and the gradient of a bias: sums over
// positions in a fixed order, by stretches that depend on the tensor's shape alone.
#pragma once

#include <cmath>

#include "backends/fused/bodies_pack.h"

namespace convoy::fused {

struct NormStatisticsBody {  // [adds] the means over `groups` groups, of which these vectors are some
  Vectors means, variances;
  float *mean, *variance;
  double groups, variance_factor;
  bool adds;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const double m = means.sum(i) / groups, v = variances.sum(i) / groups * variance_factor;
    mean[i] = static_cast<float>(adds ? static_cast<double>(mean[i]) + m : m);
    variance[i] = static_cast<float>(adds ? static_cast<double>(variance[i]) + v : v);
  }
};

struct NormFoldBody {  // scale, shift and bias may be null; padded channels become zero
  const float *scale, *shift, *bias, *mean, *variance;
  float *to_scale, *to_shift;
  double epsilon;
  int channels;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    if (i >= channels) {
      to_scale[i] = to_shift[i] = 0;
      return;
    }
    const double slope = (scale != nullptr ? static_cast<double>(scale[i]) : 1.0) /
                         std::sqrt(static_cast<double>(variance[i]) + epsilon);
    const double from = static_cast<double>(mean[i]) - (bias != nullptr ? static_cast<double>(bias[i]) : 0.0);
    to_scale[i] = static_cast<float>(slope);
    to_shift[i] = static_cast<float>((shift != nullptr ? static_cast<double>(shift[i]) : 0.0) - from * slope);
  }
};

template <class T>
struct ScaleShiftBody {
  const T *x, *addend;         // all but x and y may be null
  const float *scale, *shift;
  T* y;
  int c;
  bool relu;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const int channel = split(i, c).last;
    float value = load(x[i]);
    if (scale != nullptr) value *= scale[channel];
    if (shift != nullptr) value += shift[channel];
    if (addend != nullptr) value += load(addend[i]);
    store(y[i], relu && value < 0 ? 0.0f : value);
  }
};

template <class T>
struct BiasStretchBody {  // sums[stretch][channel]
  const T* dy;
  double* sums;
  int64_t positions, stretch;
  int c;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Split at = split(i, c);
    const int64_t first = at.rest * stretch, after = first + stretch;
    const int64_t end = after < positions ? after : positions;
    double sum = 0;
    for (int64_t p = first; p < end; ++p) sum += static_cast<double>(load(dy[p * c + at.last]));
    sums[i] = sum;
  }
};

struct BiasSumBody {
  const double* sums;
  float* db;
  int64_t stretches;
  int c;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    double sum = 0;
    for (int64_t s = 0; s < stretches; ++s) sum += sums[s * c + i];
    db[i] = static_cast<float>(sum);
  }
};

}  // namespace convoy::fused
