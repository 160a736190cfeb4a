// Softmax cross-entropy with label smoothing, and the counts of an evaluation, shared by all CPU backends. Logits are
// [images, classes]; the arithmetic is double whatever T is, one image at a time, so results do not depend on threads.
//   loss_i = log sum_j exp(x_j) - sum_j t_j x_j,   t = (1-s) onehot + s/classes      (Szegedy et al. 2016, sec. 7)
//   d mean loss / d x_j = (softmax_j - t_j) / images
// A label of -1 is padding: loss and gradient 0, counted nowhere. Equal logits: the lower class index ranks first.
#pragma once

#include <cstdint>
#include <span>

#include "port/batch.h"

namespace convoy {

// Writes each image's loss and adds to `totals`. An image whose loss is NaN, infinite or above 2^20 nats counts as
// nonfinite and as wrong.
template <class T>
void softmax_loss(std::span<const T> logits, std::span<const int32_t> labels, float smoothing,
                  std::span<T> losses, Totals& totals);

template <class T>
void softmax_loss_gradient(std::span<const T> logits, std::span<const int32_t> labels, float smoothing,
                           std::span<T> gradient);

}  // namespace convoy
