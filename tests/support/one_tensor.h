// A Vector's work on one tensor.
#pragma once

#include <type_traits>

#include "port/backend.h"

namespace convoy::testing {

template <class T>
using Values = std::type_identity_t<std::span<T>>;

template <class T>
void momentum_step(VectorOf<T>& vector, Values<T> w, Values<T> v, Values<const T> g,
                   const std::type_identity_t<MomentumStepOf<T>>& step) {
  const MomentumTaskOf<T> task{w, v, g, step};
  vector.momentum_steps({&task, 1});
}
template <class T>
void rmsprop_step(VectorOf<T>& vector, Values<T> w, Values<T> v, Values<T> m, Values<const T> g,
                  const std::type_identity_t<RmspropStepOf<T>>& step) {
  const RmspropTaskOf<T> task{w, v, m, g, step};
  vector.rmsprop_steps({&task, 1});
}
template <class T>
void running_average(VectorOf<T>& vector, Values<T> r, Values<const T> s, std::type_identity_t<T> keep,
                     std::type_identity_t<T> scale) {
  const AverageTaskOf<T> task{r, s, keep, scale};
  vector.running_averages({&task, 1});
}
template <class T>
double decayed_squared_norm(VectorOf<T>& vector, Values<const T> g, Values<const T> w,
                            std::type_identity_t<T> scale, std::type_identity_t<T> decay) {
  return vector.squared_norm(NormTaskOf<T>{g, w, scale, decay});
}

}  // namespace convoy::testing
