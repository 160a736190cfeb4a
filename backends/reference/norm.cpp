#include "backends/reference/norm.h"

#include <algorithm>
#include <cmath>

namespace convoy::reference {
namespace {

// The elements of one channel of one group of images.
struct Slice {
  const NormCase& c;
  int channel, group;

  template <class F>
  void each_image(F f) const {  // f(its first element)
    for (int i = group * c.group; i < (group + 1) * c.group; ++i)
      f((int64_t{i} * c.shape.channels + channel) * c.positions());
  }
  template <class F>
  void each(F f) const {
    each_image([&](int64_t begin) {
      for (int64_t e = begin; e < begin + c.positions(); ++e) f(e);
    });
  }
  template <class F>
  double sum(F f) const {
    double total = 0;
    each_image([&](int64_t begin) {
      double image = 0;
      for (int64_t e = begin; e < begin + c.positions(); ++e) image += f(e);
      total += image;
    });
    return total;
  }
  template <class T>
  T* of(T* saved) const {  // mean and 1/sqrt(var+eps)
    return saved + 2 * (int64_t{group} * c.shape.channels + channel);
  }
};

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
  const auto count = static_cast<double>(c.group * c.positions());
#pragma omp parallel for num_threads(c.threads) schedule(static)
  for (int channel = 0; channel < c.shape.channels; ++channel) {
    double means = 0, variances = 0;  // summed over the groups
    for (int group = 0; group < c.groups(); ++group) {
      const Slice slice{c, channel, group};
      double mean = 0, variance = 0;
      if (params.mean != nullptr) {
        mean = static_cast<double>(params.mean[channel]);
        variance = static_cast<double>(params.variance[channel]);
      } else {
        mean = slice.sum([&](int64_t e) { return static_cast<double>(src[e]); }) / count;
        variance = slice.sum([&](int64_t e) {
          const double centred = static_cast<double>(src[e]) - mean;
          return centred * centred;
        }) / count;
        means += mean;
        variances += op.unbiased_running ? variance * (count / (count - 1)) : variance;
      }
      T* kept = slice.of(saved);
      kept[0] = static_cast<T>(mean);
      kept[1] = static_cast<T>(1.0 / std::sqrt(variance + static_cast<double>(op.epsilon)));
      const T centre = kept[0], slope = kept[1];
      const T gamma = params.gamma != nullptr ? params.gamma[channel] : T{1};
      const T beta = params.beta != nullptr ? params.beta[channel] : T{0};
      slice.each([&](int64_t e) { dst[e] = (src[e] - centre) * slope * gamma + beta; });
    }
    if (params.mean != nullptr) continue;
    batch_mean[channel] = static_cast<T>(means / c.groups());
    batch_variance[channel] = static_cast<T>(variances / c.groups());
  }
}

template <class T>
void backward(const NormCase& c, const T* gamma, const T* src, const T* saved, const T* d_dst, T* d_src,
              T* d_gamma, T* d_beta) {
  const auto count = static_cast<double>(c.group * c.positions());
#pragma omp parallel for num_threads(c.threads) schedule(static)
  for (int channel = 0; channel < c.shape.channels; ++channel) {
    double sums = 0, products = 0;  // over the groups
    for (int group = 0; group < c.groups(); ++group) {
      const Slice slice{c, channel, group};
      const T mean = slice.of(saved)[0], inverse = slice.of(saved)[1];
      const double sum = slice.sum([&](int64_t e) { return static_cast<double>(d_dst[e]); });
      const double product = slice.sum([&](int64_t e) {
        return static_cast<double>(d_dst[e]) * static_cast<double>((src[e] - mean) * inverse);
      });
      sums += sum;
      products += product;
      if (d_src == nullptr) continue;
      const T slope = (gamma != nullptr ? gamma[channel] : T{1}) * inverse;
      const T even = static_cast<T>(sum / count), along = static_cast<T>(product / count);
      slice.each(
          [&](int64_t e) { d_src[e] += slope * (d_dst[e] - even - (src[e] - mean) * inverse * along); });
    }
    if (d_gamma != nullptr) d_gamma[channel] += static_cast<T>(products);
    if (d_beta != nullptr) d_beta[channel] += static_cast<T>(sums);
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
