// The optimizers' steps: the formulas of MomentumStepOf and RmspropStepOf in port/backend.h, element by element, in float for
// training and in double for the float64 oracles, for the host's loops and the GPU's kernels alike. Each element depends
// on its own w, v, m and g alone.
#pragma once

#include <cmath>
#include <cstdint>

#include "backends/common/portable.h"
#include "port/backend.h"

namespace convoy {

template <class T>
CONVOY_PORTABLE inline void momentum_element(T& w, T& v, T g, const MomentumStepOf<T>& step) {
  v = step.momentum * v + step.into_velocity * (step.grad_scale * g + step.decay * w);
  w -= step.into_weights * v;
}

template <class T>
CONVOY_PORTABLE inline void nesterov_element(T& w, T& v, T g, const MomentumStepOf<T>& step) {
  const T step_gradient = step.into_velocity * (step.grad_scale * g + step.decay * w);
  v = step.momentum * v + step_gradient;
  w -= step.into_weights * (step_gradient + step.lookahead * v);
}

template <class T>
CONVOY_PORTABLE inline void rmsprop_element(T& w, T& v, T& m, T g, const RmspropStepOf<T>& step) {
  const T gradient = step.grad_scale * g + step.decay * w;
  m = step.mu2 * m + (T{1} - step.mu2) * (gradient * gradient);
  v = step.momentum * v + (step.alpha_sgd + step.alpha_rmsprop / (std::sqrt(m) + step.epsilon)) * gradient;
  w -= step.rate * v;
}

template <class T>
CONVOY_PORTABLE inline void average_element(T& r, T s, T keep, T weight) {
  r = keep == T{0} ? weight * s
                   : keep * r + weight * s;  // keeping nothing forgets r, also where it is not finite
}

// The host's loops. The copies of `step` keep compilers from reading it again behind every store.
template <class T>
void momentum_step(T* __restrict w, T* __restrict v, const T* __restrict g, int64_t count,
                   const MomentumStepOf<T>& given) {
  const MomentumStepOf<T> step = given;
  if (step.lookahead > T{0})
    for (int64_t i = 0; i < count; ++i) nesterov_element(w[i], v[i], g[i], step);
  else
    for (int64_t i = 0; i < count; ++i) momentum_element(w[i], v[i], g[i], step);
}

template <class T>
void rmsprop_step(T* __restrict w, T* __restrict v, T* __restrict m, const T* __restrict g, int64_t count,
                  const RmspropStepOf<T>& given) {
  const RmspropStepOf<T> step = given;
  for (int64_t i = 0; i < count; ++i) rmsprop_element(w[i], v[i], m[i], g[i], step);
}

}  // namespace convoy
