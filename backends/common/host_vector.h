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
  void squared_norms(std::span<const NormTaskOf<T>> tasks, std::span<double> norms) override;
  void momentum_steps(std::span<const MomentumTaskOf<T>> tasks) override;
  void rmsprop_steps(std::span<const RmspropTaskOf<T>> tasks) override;
  void running_averages(std::span<const AverageTaskOf<T>> tasks) override;

 private:
  template <class Tasks, class Work>
  void in_chunks(const Tasks& tasks, const Work& work);

  int threads_;
  std::vector<double> chunk_sums_;  // grows to the largest call's, then stays
};

extern template class HostVectorOf<float>;
extern template class HostVectorOf<double>;
using HostVector = HostVectorOf<float>;

}  // namespace convoy
