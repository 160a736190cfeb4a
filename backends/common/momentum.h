// One momentum step on a stretch of the arena: the formulas of MomentumStep in port/backend.h, element by element, in
// float for training and in double for the float64 oracle. Each element depends on its own w, v and g alone.
#pragma once

#include <cstdint>

#include "port/backend.h"

namespace convoy {

template <class T>
struct MomentumOf {
  MomentumStep::Convention convention;
  bool nesterov;
  T grad_scale, decay, rate, momentum;
};

inline MomentumOf<float> momentum_of(const MomentumStep& step) {
  return {step.convention, step.nesterov, step.grad_scale, step.decay, step.rate, step.momentum};
}

template <class T>
void momentum_step(T* __restrict w, T* __restrict v, const T* __restrict g, int64_t count,
                   const MomentumOf<T>& step) {
  const auto [convention, nesterov, scale, decay, rate, momentum] = step;
  const bool inside = convention == MomentumStep::Convention::inside;
  // Inside the velocity carries the rate, outside the weights' step does.
  const T into_velocity = inside ? rate : T{1}, into_weights = inside ? T{1} : rate;
  if (nesterov) {
    for (int64_t i = 0; i < count; ++i) {
      const T step_gradient = into_velocity * (scale * g[i] + decay * w[i]);
      v[i] = momentum * v[i] + step_gradient;
      w[i] -= into_weights * (step_gradient + momentum * v[i]);
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      v[i] = momentum * v[i] + into_velocity * (scale * g[i] + decay * w[i]);
      w[i] -= into_weights * v[i];
    }
  }
}

}  // namespace convoy
