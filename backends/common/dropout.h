// Inverted dropout by the random contract of port/batch.h, shared by all CPU backends: element e (NCHW order over each
// worker's minibatch, whose masks do not depend on how many workers share the batch) is kept when word e%4 of block e/4 of dropout_random(batch, node) is at least the threshold, and
// kept elements are multiplied by 1/(1-p). The backward pass is the same function applied to the gradient.
#pragma once

#include <span>

#include "port/batch.h"

namespace convoy {

// dst may be src. T is float or double.
template <class T>
void dropout(const Batch& batch, int node, float p, std::span<const T> src, std::span<T> dst, int threads);

}  // namespace convoy
