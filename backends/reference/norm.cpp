#include "backends/reference/norm.h"

#include <algorithm>
#include <cmath>

namespace convoy::reference {
namespace {

// Sum of f(index of the element) over all images and positions of one channel.
template <class F>
double sum_channel(const NormCase& c, int channel, F f) {
  double sum = 0;
  for (int i = 0; i < c.images; ++i) {
    const int64_t begin = (int64_t{i} * c.shape.channels + channel) * c.positions();
    double image = 0;
    for (int64_t e = begin; e < begin + c.positions(); ++e) image += f(e);
    sum += image;
  }
  return sum;
}

template <class F>
void for_channel(const NormCase& c, int channel, F f) {
  for (int i = 0; i < c.images; ++i) {
    const int64_t begin = (int64_t{i} * c.shape.channels + channel) * c.positions();
    for (int64_t e = begin; e < begin + c.positions(); ++e) f(e);
  }
}

struct Window {
  int begin, end;
};

Window window_of(const Lrn& op, int channel, int channels) {
  return {std::max(0, channel - op.size / 2), std::min(channels, channel + op.size / 2 + 1)};
}

}  // namespace

template <class T>
void forward(const NormCase& c, const BatchNorm& op, const NormParams<T>& params, const T* src, T* dst,
             T* saved, T* batch_mean, T* batch_variance) {
  const auto count = static_cast<double>(c.images * c.positions());
#pragma omp parallel for num_threads(c.threads) schedule(static)
  for (int channel = 0; channel < c.shape.channels; ++channel) {
    double mean = 0, variance = 0;
    if (params.mean != nullptr) {
      mean = static_cast<double>(params.mean[channel]);
      variance = static_cast<double>(params.variance[channel]);
    } else {
      mean = sum_channel(c, channel, [&](int64_t e) { return static_cast<double>(src[e]); }) / count;
      variance = sum_channel(c, channel,
                             [&](int64_t e) {
                               const double centred = static_cast<double>(src[e]) - mean;
                               return centred * centred;
                             }) /
                 count;
      batch_mean[channel] = static_cast<T>(mean);
      batch_variance[channel] =
          static_cast<T>(op.unbiased_running ? variance * (count / (count - 1)) : variance);
    }
    const double inverse = 1.0 / std::sqrt(variance + static_cast<double>(op.epsilon));
    saved[2 * channel] = static_cast<T>(mean);
    saved[2 * channel + 1] = static_cast<T>(inverse);
    const T centre = saved[2 * channel], slope = saved[2 * channel + 1];
    const T gamma = params.gamma != nullptr ? params.gamma[channel] : T{1};
    const T beta = params.beta != nullptr ? params.beta[channel] : T{0};
    for_channel(c, channel, [&](int64_t e) { dst[e] = (src[e] - centre) * slope * gamma + beta; });
  }
}

template <class T>
void backward(const NormCase& c, const T* gamma, const T* src, const T* saved, const T* d_dst, T* d_src,
              T* d_gamma, T* d_beta) {
  const auto count = static_cast<double>(c.images * c.positions());
#pragma omp parallel for num_threads(c.threads) schedule(static)
  for (int channel = 0; channel < c.shape.channels; ++channel) {
    const T mean = saved[2 * channel], inverse = saved[2 * channel + 1];
    const double sum = sum_channel(c, channel, [&](int64_t e) { return static_cast<double>(d_dst[e]); });
    const double product = sum_channel(c, channel, [&](int64_t e) {
      return static_cast<double>(d_dst[e]) * static_cast<double>((src[e] - mean) * inverse);
    });
    if (d_gamma != nullptr) d_gamma[channel] += static_cast<T>(product);
    if (d_beta != nullptr) d_beta[channel] += static_cast<T>(sum);
    if (d_src == nullptr) continue;
    const T slope = (gamma != nullptr ? gamma[channel] : T{1}) * inverse;
    const T even = static_cast<T>(sum / count), along = static_cast<T>(product / count);
    for_channel(c, channel, [&](int64_t e) {
      d_src[e] += slope * (d_dst[e] - even - (src[e] - mean) * inverse * along);
    });
  }
}

template <class T>
void forward(const NormCase& c, const Lrn& op, const T* src, T* dst, T* saved) {
  const T share = static_cast<T>(op.alpha) / static_cast<T>(op.size);
  const int64_t positions = c.positions();
#pragma omp parallel for collapse(2) num_threads(c.threads) schedule(static)
  for (int i = 0; i < c.images; ++i)
    for (int channel = 0; channel < c.shape.channels; ++channel) {
      const Window window = window_of(op, channel, c.shape.channels);
      const T* image = src + i * c.shape.elements();
      const int64_t begin = i * c.shape.elements() + channel * positions;
      for (int64_t p = 0; p < positions; ++p) {
        T squares = 0;
        for (int j = window.begin; j < window.end; ++j)
          squares += image[j * positions + p] * image[j * positions + p];
        const T scale = static_cast<T>(op.k) + share * squares;
        saved[begin + p] = scale;
        dst[begin + p] = src[begin + p] * std::pow(scale, -static_cast<T>(op.beta));
      }
    }
}

// d x_j = d y_j s_j^-beta - 2 alpha beta/size x_j sum_{i sees j} d y_i y_i / s_i
template <class T>
void backward(const NormCase& c, const Lrn& op, const T* src, const T* dst, const T* saved, const T* d_dst,
              T* d_src) {
  const T share = T{2} * static_cast<T>(op.alpha) * static_cast<T>(op.beta) / static_cast<T>(op.size);
  const int64_t positions = c.positions();
#pragma omp parallel for collapse(2) num_threads(c.threads) schedule(static)
  for (int i = 0; i < c.images; ++i)
    for (int channel = 0; channel < c.shape.channels; ++channel) {
      const Window window = window_of(op, channel, c.shape.channels);
      const int64_t image = i * c.shape.elements();
      for (int64_t p = 0; p < positions; ++p) {
        T through = 0;
        for (int j = window.begin; j < window.end; ++j) {
          const int64_t e = image + j * positions + p;
          through += d_dst[e] * dst[e] / saved[e];
        }
        const int64_t e = image + channel * positions + p;
        d_src[e] += d_dst[e] * std::pow(saved[e], -static_cast<T>(op.beta)) - share * src[e] * through;
      }
    }
}

template void forward<float>(const NormCase&, const BatchNorm&, const NormParams<float>&, const float*,
                             float*, float*, float*, float*);
template void backward<float>(const NormCase&, const float*, const float*, const float*, const float*, float*,
                              float*, float*);
template void forward<float>(const NormCase&, const Lrn&, const float*, float*, float*);
template void backward<float>(const NormCase&, const Lrn&, const float*, const float*, const float*,
                              const float*, float*);
template void forward<double>(const NormCase&, const BatchNorm&, const NormParams<double>&, const double*,
                              double*, double*, double*, double*);
template void backward<double>(const NormCase&, const double*, const double*, const double*, const double*,
                               double*, double*, double*);
template void forward<double>(const NormCase&, const Lrn&, const double*, double*, double*);
template void backward<double>(const NormCase&, const Lrn&, const double*, const double*, const double*,
                               const double*, double*);

}  // namespace convoy::reference
