// An axis with round ticks: the numbers on it are 1, 2 or 5 times a power of ten apart, at most about seven.
#pragma once

#include <vector>

namespace convoy {

struct Scale {
  double low = 0, high = 1, step = 0.2;
  double share(double value) const { return (value - low) / (high - low); }  // 0 at `low`, 1 at `high`
  std::vector<double> ticks() const;
};

// Reaches over both to ticks. What is not finite, or empty, becomes an axis from 0 to 1.
Scale round_scale(double low, double high);

}  // namespace convoy
