// Batch norm (Ioffe & Szegedy 2015, Alg. 1), over groups of consecutive images, and local response norm (Krizhevsky et al. 2012, 3.3) of the reference
// backend. Gradients are ADDED to what is there. `saved` goes from forward to backward: of a batch norm mean and
// 1/sqrt(var+eps) of every group and channel, of a local response norm the scale k + alpha/size sum x^2 of every element.
#pragma once

#include <cstdint>

#include "net/op.h"

namespace convoy::reference {

struct NormCase {
  Shape shape;
  int images, threads;
  int group = images;  // of a batch norm: images that share statistics, a divisor of `images`
  int groups() const { return images / group; }
  int64_t positions() const { return int64_t{shape.height} * shape.width; }
};

template <class T>
struct NormParams {
  const T *gamma, *beta;     // null: 1 and 0
  const T *mean, *variance;  // running statistics; null: of these images, group by group
};

// In training batch_mean and batch_variance receive what the running statistics average: the mean over the groups of
// their mean and variance (may be null in inference).
template <class T>
void forward(const NormCase& problem, const BatchNorm& op, const NormParams<T>& params, const T* src, T* dst,
             T* saved, T* batch_mean, T* batch_variance);
// d_src, d_gamma and d_beta may be null.
template <class T>
void backward(const NormCase& problem, const T* gamma, const T* src, const T* saved, const T* d_dst, T* d_src,
              T* d_gamma, T* d_beta);

template <class T>
void forward(const NormCase& problem, const Lrn& op, const T* src, T* dst, T* saved);
template <class T>
void backward(const NormCase& problem, const Lrn& op, const T* src, const T* dst, const T* saved,
              const T* d_dst, T* d_src);

}  // namespace convoy::reference
