// The port's Vector on the CPU with OpenMP. Results do not depend on the number of threads: elements are independent,
// and the norms are summed in double over chunks of a fixed size, whose sums are added as a balanced binary tree.
#pragma once

#include <vector>

#include "port/backend.h"

namespace convoy {

template <class T>
class HostVectorOf final : public VectorOf<T> {
 public:
  explicit HostVectorOf(int threads) : threads_(threads) {}
  double squared_norm(std::span<const T> x) override;
  double decayed_squared_norm(std::span<const T> g, std::span<const T> w, T grad_scale, T decay) override;
  void momentum_step(std::span<T> w, std::span<T> v, std::span<const T> g,
                     const MomentumStepOf<T>& step) override;
  void rmsprop_step(std::span<T> w, std::span<T> v, std::span<T> m, std::span<const T> g,
                    const RmspropStepOf<T>& step) override;
  void running_average(std::span<T> r, std::span<const T> s, T keep, T scale) override;

 private:
  template <class Element>
  double sum_of_squares(size_t size, const Element& element);
  template <class Work>
  void in_chunks(size_t size, const Work& work);

  int threads_;
  std::vector<double> chunk_sums_;  // grows to the largest tensor, then stays
};

extern template class HostVectorOf<float>;
extern template class HostVectorOf<double>;
using HostVector = HostVectorOf<float>;

}  // namespace convoy
