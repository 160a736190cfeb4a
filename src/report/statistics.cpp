#include "report/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace convoy::report {
namespace {

constexpr double tiny = 1e-300;

double normal_tail(double z) { return 0.5 * std::erfc(z / std::sqrt(2.0)); }

// The continued fraction of the incomplete beta function (Lentz's method), for x below (a + 1)/(a + b + 2).
double beta_fraction(double a, double b, double x) {
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < tiny ? tiny : d);
  double value = d;
  for (int m = 1; m < 10000; ++m) {
    double factor = 1;
    for (const double numerator : {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                                   -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))}) {
      d = 1 + numerator * d;
      d = 1 / (std::abs(d) < tiny ? tiny : d);
      c = 1 + numerator / c;
      if (std::abs(c) < tiny) c = tiny;
      factor = c * d;
      value *= factor;
    }
    if (std::abs(factor - 1) < 1e-15) break;
  }
  return value;
}

// I_x(a, b); `y` is 1 - x, given apart so that it keeps its digits.
double incomplete_beta(double a, double b, double x, double y) {
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log(y));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                   : 1 - front * beta_fraction(b, a, y) / b;
}

// P(|T| >= |t|).
double student_two_sided(double t, double freedom) {
  const double whole = freedom + t * t;
  return incomplete_beta(freedom / 2, 0.5, freedom / whole, t * t / whole);
}

struct Ranks {
  double sum_a = 0, ties = 0;  // ties: sum of t^3 - t
};

Ranks rank(std::span<const double> a, std::span<const double> b) {
  std::vector<std::pair<double, bool>> all;
  for (const double value : a) all.emplace_back(value, true);
  for (const double value : b) all.emplace_back(value, false);
  std::sort(all.begin(), all.end());
  Ranks ranks;
  for (size_t i = 0; i < all.size();) {
    size_t end = i;
    while (end < all.size() && all[end].first == all[i].first) ++end;
    const auto count = static_cast<double>(end - i);
    const double shared = (static_cast<double>(i + end) + 1) / 2;
    for (size_t j = i; j < end; ++j) ranks.sum_a += all[j].second ? shared : 0;
    ranks.ties += count * count * count - count;
    i = end;
  }
  return ranks;
}

// P(U >= u) without ties: U's frequencies are the coefficients of the Gaussian binomial [n + m choose n].
double exact_tail(size_t n, size_t m, double u) {
  if (n > m) std::swap(n, m);
  std::vector<double> ways(n * m + 1, 0.0);
  ways[0] = 1;
  for (size_t i = 1; i <= n; ++i) {  // times (1 - q^(m+i)) / (1 - q^i)
    for (size_t k = ways.size(); k-- > m + i;) ways[k] -= ways[k - m - i];
    for (size_t k = i; k < ways.size(); ++k) ways[k] += ways[k - i];
  }
  const double all = std::accumulate(ways.begin(), ways.end(), 0.0);
  double tail = 0;
  for (size_t k = ways.size(); k-- > 0 && static_cast<double>(k) >= u;) tail += ways[k];
  return tail / all;
}

}  // namespace

double median(std::vector<double> values) {
  ensure(!values.empty());
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  const double below = *std::max_element(values.begin(), middle);
  return below + (*middle - below) / 2;
}

Interval median_interval(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t n = values.size();
  // P(the k-th smallest is above the median) = P(fewer than k of n coins show heads).
  double below = 0, coins = std::pow(0.5, static_cast<double>(n));
  size_t k = 0;  // both ends go inwards as long as 2.5 % at most are lost on each side
  while (2 * (k + 1) < n + 1 && below + coins <= 0.025) {
    below += coins;
    ++k;
    coins *= static_cast<double>(n - k + 1) / static_cast<double>(k);
  }
  const size_t cut = k == 0 ? 0 : k - 1;
  return {values[cut], values[n - 1 - cut]};
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values) {
  ensure(values.size() >= 2);
  const double middle = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - middle) * (value - middle);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double student_cdf(double t, double freedom) {
  const double half = student_two_sided(t, freedom) / 2;
  return t > 0 ? 1 - half : half;
}

double student_quantile(double p, double freedom) {
  double low = -1e6, high = 1e6;
  for (int i = 0; i < 200; ++i) {
    const double middle = low + (high - low) / 2;
    (student_cdf(middle, freedom) < p ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

Test mann_whitney(std::span<const double> a, std::span<const double> b) {
  ensure(!a.empty() && !b.empty());
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size()), all = n + m;
  const Ranks ranks = rank(a, b);
  const double u = ranks.sum_a - n * (n + 1) / 2, larger = std::max(u, n * m - u);
  Test test{"Mann-Whitney U", u, 1, n, m};
  if (ranks.ties == 0 && std::min(n, m) <= 8) {
    test.p = std::min(1.0, 2 * exact_tail(a.size(), b.size(), larger));
    return test;
  }
  const double variance = n * m / 12 * (all + 1 - ranks.ties / (all * (all - 1)));
  if (variance > 0) test.p = std::min(1.0, 2 * normal_tail((larger - n * m / 2 - 0.5) / std::sqrt(variance)));
  return test;
}

Test welch(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  const double sd_a = standard_deviation(a), sd_b = standard_deviation(b);
  const double x = sd_a * sd_a / n, y = sd_b * sd_b / m, difference = mean(a) - mean(b);
  Test test{"Welch t", 0, 1, n, m};
  if (x + y == 0) {
    test.p = difference == 0 ? 1 : 0;
    return test;
  }
  test.statistic = difference / std::sqrt(x + y);
  test.p = student_two_sided(test.statistic, (x + y) * (x + y) / (x * x / (n - 1) + y * y / (m - 1)));
  return test;
}

Test mcnemar(int64_t only_a, int64_t only_b) {
  const auto a = static_cast<double>(only_a), b = static_cast<double>(only_b), all = a + b;
  if (all > 1000) {
    const double distance = std::max(0.0, std::abs(a - b) - 1), chi2 = distance * distance / all;
    return {"McNemar chi2", chi2, std::erfc(std::sqrt(chi2 / 2)), a, b};
  }
  double tail = 0;
  for (double k = 0; k <= std::min(a, b); ++k)
    tail +=
        std::exp(std::lgamma(all + 1) - std::lgamma(k + 1) - std::lgamma(all - k + 1) - all * std::log(2.0));
  return {"McNemar exact", std::min(a, b), std::min(1.0, 2 * tail), a, b};
}

Test two_proportions(const Counts& a, const Counts& b) {
  const auto n = static_cast<double>(a.images), m = static_cast<double>(b.images);
  const auto x = static_cast<double>(a.correct), y = static_cast<double>(b.correct);
  const double pooled = (x + y) / (n + m), variance = pooled * (1 - pooled) * (1 / n + 1 / m);
  Test test{"two proportions z", 0, 1, n, m};
  if (!(variance > 0)) return test;
  test.statistic = (x / n - y / m) / std::sqrt(variance);
  test.p = std::min(1.0, 2 * normal_tail(std::abs(test.statistic)));
  return test;
}

}  // namespace convoy::report
