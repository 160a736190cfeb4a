// Five-point differences of a loss over fused operations (tests/parity/finite_difference_test.cpp has the formula).
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/fused_bench.h"

namespace convoy::fused::testing {

constexpr double difference_step = 0x1p-5;

// How far the slopes of loss() by the elements of tensor `id` are from `expected`, at most; relative where that is above 1.
// branch() tells what a ReLU let through: an element whose steps change it has no slope, and is not counted in `compared`.
template <class Loss, class Branch>
double worst_slope(Bench& bench, Id id, const std::vector<float>& expected, const Loss& loss,
                   const Branch& branch, int& compared) {
  double worst = 0;
  const std::vector<float> values = bench.values(id);
  for (size_t i = 0; i < values.size(); ++i) {
    std::vector<std::vector<bool>> branches;
    const auto at = [&](double shift) {
      bench.set(id, i, static_cast<float>(static_cast<double>(values[i]) + shift));
      const double value = loss();
      branches.push_back(branch());
      return value;
    };
    constexpr double step = difference_step;
    const double slope = (at(-2 * step) - 8 * at(-step) + 8 * at(step) - at(2 * step)) / (12 * step);
    bench.set(id, i, values[i]);
    if (std::ranges::any_of(branches, [&](const auto& one) { return one != branches[0]; })) continue;
    const auto wanted = static_cast<double>(expected[i]);
    worst = std::max(worst, std::abs(slope - wanted) / std::max(1.0, std::abs(wanted)));
    ++compared;
  }
  return worst;
}

}  // namespace convoy::fused::testing
