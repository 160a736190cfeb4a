// The optimizers' steps on a stretch of the arena: the formulas of MomentumStepOf and RmspropStepOf in port/backend.h,
// element by element, in float for training and in double for the float64 oracles. Each element depends on its own w, v,
// m and g alone.
#pragma once

#include <cmath>
#include <cstdint>

#include "port/backend.h"

namespace convoy {

template <class T>
void momentum_step(T* __restrict w, T* __restrict v, const T* __restrict g, int64_t count,
                   const MomentumStepOf<T>& step) {
  const auto [scale, decay, momentum, into_velocity, into_weights, lookahead] = step;
  if (lookahead > T{0}) {
    for (int64_t i = 0; i < count; ++i) {
      const T step_gradient = into_velocity * (scale * g[i] + decay * w[i]);
      v[i] = momentum * v[i] + step_gradient;
      w[i] -= into_weights * (step_gradient + lookahead * v[i]);
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      v[i] = momentum * v[i] + into_velocity * (scale * g[i] + decay * w[i]);
      w[i] -= into_weights * v[i];
    }
  }
}

template <class T>
void rmsprop_step(T* __restrict w, T* __restrict v, T* __restrict m, const T* __restrict g, int64_t count,
                  const RmspropStepOf<T>& step) {
  const auto [scale, decay, momentum, mu2, alpha_sgd, alpha_rmsprop, epsilon, rate] = step;
  for (int64_t i = 0; i < count; ++i) {
    const T gradient = scale * g[i] + decay * w[i];
    m[i] = mu2 * m[i] + (T{1} - mu2) * (gradient * gradient);
    v[i] = momentum * v[i] + (alpha_sgd + alpha_rmsprop / (std::sqrt(m[i]) + epsilon)) * gradient;
    w[i] -= rate * v[i];
  }
}

}  // namespace convoy
