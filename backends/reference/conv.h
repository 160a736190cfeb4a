// Convolution and linear layer of the reference backend. A convolution is written as two matrix products with
//   patches[image, position][channel, ky, kx]  what each output position sees, zeros beyond the border
//   rows[image, position][output]              output (or its gradient) with channels last
// forward:  rows = patches weights^T;   d weights += rows^T patches;   d patches = rows weights, added back onto d src.
// Gradients of values and parameters are ADDED to what is there. Scratch belongs to the caller.
#pragma once

#include <cstdint>

#include "net/op.h"

namespace convoy::reference {

struct ConvCase {
  Conv op;
  Shape src, dst;
  int images, threads;

  int64_t positions() const { return int64_t{dst.height} * dst.width; }
  int64_t patch() const { return int64_t{src.channels} * op.kernel.height * op.kernel.width; }
  int images_at_once() const;  // so that patches stay below 2^22 elements, where one image's do
  int64_t scratch() const { return images_at_once() * positions() * (patch() + dst.channels); }
};

template <class T>
struct ConvValues {
  const T *src, *weight, *bias;  // bias may be null
  T* dst;
};

template <class T>
struct ConvGradients {
  const T *src, *weight, *d_dst;
  T *d_src, *d_weight, *d_bias;  // d_src and d_bias may be null
};

template <class T>
void forward(const ConvCase& problem, const ConvValues<T>& values, T* scratch);
template <class T>
void backward(const ConvCase& problem, const ConvGradients<T>& gradients, T* scratch);

struct LinearCase {
  int64_t inputs, outputs;
  int images, threads;
};

template <class T>
void forward(const LinearCase& problem, const ConvValues<T>& values);
template <class T>
void backward(const LinearCase& problem, const ConvGradients<T>& gradients);

}  // namespace convoy::reference
