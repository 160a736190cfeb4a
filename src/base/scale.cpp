#include "base/scale.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace convoy {

std::vector<double> Scale::ticks() const {
  std::vector<double> values;
  if (!(std::abs(low / step) < 1e12 && std::abs(high / step) < 1e12))
    return values;  // ends of what a double holds
  const auto first = static_cast<int64_t>(std::ceil(low / step - 1e-6));
  const auto last = static_cast<int64_t>(std::floor(high / step + 1e-6));
  for (int64_t i = first; i <= last; ++i) values.push_back(static_cast<double>(i) * step);
  return values;
}

Scale round_scale(double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high) || high < low || (low == 0 && high == 0)) return {};
  if (high - low <= 1e-9 * std::max(std::abs(low), std::abs(high))) {  // one value: room on both sides
    const double room = 0.1 * std::abs(low);
    low -= room, high += room;
  }
  const double raw = (high - low) / 5, power = std::pow(10.0, std::floor(std::log10(raw))),
               digit = raw / power;
  const double step = power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, step};
}

}  // namespace convoy
