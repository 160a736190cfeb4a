// Pooling of the reference backend. Padding never wins a maximum and counts as zeros in an average, which divides by
// the full kernel. Of equal values the first in reading order is the maximum and gets the gradient, as in PyTorch; a
// NaN wins over everything. Gradients are ADDED to what is there.
#pragma once

#include "net/op.h"

namespace convoy::reference {

struct PoolCase {
  Pool op;
  Shape src, dst;
  int images, threads;
};

template <class T>
void forward(const PoolCase& problem, const T* src, T* dst);
template <class T>
void backward(const PoolCase& problem, const T* src, const T* d_dst, T* d_src);

}  // namespace convoy::reference
