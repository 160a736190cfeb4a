// The port's Vector on the CPU with OpenMP. Results do not depend on the number of threads: elements are independent,
// and the norm is summed in double over chunks of a fixed size, whose sums are added as a balanced binary tree.
#pragma once

#include <vector>

#include "port/backend.h"

namespace convoy {

class HostVector final : public Vector {
 public:
  explicit HostVector(int threads) : threads_(threads) {}
  double squared_norm(std::span<const float> x) override;
  void momentum_step(std::span<float> w, std::span<float> v, std::span<const float> g,
                     const MomentumStep& step) override;
  void running_average(std::span<float> r, std::span<const float> s, float keep, float scale) override;

 private:
  int threads_;
  std::vector<double> chunk_sums_;  // grows to the largest tensor, then stays
};

}  // namespace convoy
