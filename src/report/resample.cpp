#include "report/resample.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "base/random.h"
#include "report/statistics.h"

namespace convoy::report {
namespace {

constexpr size_t draws = 2000;
constexpr uint64_t seed = 1;

std::vector<double> centered_ranks(std::span<const double> samples) {
  std::vector<size_t> order(samples.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return samples[i] < samples[j]; });
  const double middle_rank = (static_cast<double>(samples.size()) - 1) / 2;
  std::vector<double> ranks(samples.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && samples[order[end]] == samples[order[i]]) ++end;
    for (size_t j = i; j < end; ++j) ranks[order[j]] = static_cast<double>(i + end - 1) / 2 - middle_rank;
    i = end;
  }
  return ranks;
}

}  // namespace

double autocorrelation_time(std::span<const double> samples) {
  const std::vector<double> x = centered_ranks(samples);
  const auto covariance = [&](size_t lag) {
    double sum = 0;
    for (size_t i = lag; i < x.size(); ++i) sum += x[i] * x[i - lag];
    return sum;
  };
  const double variance = covariance(0);
  if (!(variance > 0)) return 1;
  double time = -1;  // lag 0 is counted twice below
  for (size_t lag = 0; lag + 1 < x.size(); lag += 2) {
    const double pair = (covariance(lag) + covariance(lag + 1)) / variance;
    if (pair <= 0) break;
    time += 2 * pair;
  }
  return std::max(1.0, time);
}

size_t block_length(std::span<const double> samples) {
  const double time = autocorrelation_time(samples);
  return time < 1.5 ? 1 : static_cast<size_t>(std::ceil(2 * time));
}

std::vector<double> block_medians(std::span<const double> samples, size_t block) {
  std::vector<double> medians;
  for (size_t i = samples.size() % block; i < samples.size(); i += block)
    medians.push_back(median({samples.begin() + static_cast<std::ptrdiff_t>(i),
                              samples.begin() + static_cast<std::ptrdiff_t>(i + block)}));
  return medians;
}

std::vector<double> bootstrap_medians(std::span<const double> samples, size_t block, uint64_t stream) {
  const auto n = static_cast<uint32_t>(samples.size());
  Random random(seed, stream_of("bootstrap", stream));
  std::vector<double> medians, drawn(n);
  medians.reserve(draws);
  for (size_t draw = 0; draw < draws; ++draw) {
    for (size_t i = 0; i < n;) {
      size_t from = random.next_below(n);
      for (size_t k = 0; k < block && i < n; ++k, ++i, from = from + 1 == n ? 0 : from + 1)
        drawn[i] = samples[from];
    }
    medians.push_back(median(drawn));
  }
  return medians;
}

Interval middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<size_t>(std::llround(share * static_cast<double>(values.size() - 1)))];
  };
  return {at(0.025), at(0.975)};
}

}  // namespace convoy::report
