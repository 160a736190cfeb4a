// The tests that `convoy compare` decides by; all two-sided, all checked against scipy in tests/compare. Mann and Whitney
// 1947, with the exact distribution where a sample has at most 8 values and none are tied, else normal with ties and
// continuity corrected (as scipy's method "auto"); Welch 1947; McNemar 1947, exact up to 1000 discordant images, else
// chi-squared with Edwards' continuity correction; two proportions with pooled variance.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "report/comparison.h"

namespace convoy::report {

double median(std::vector<double> values);  // of a non-empty sample; the mean of the two in the middle
// Of the sample's order statistics, the narrowest pair between which the population's median lies with 95 %, whatever its
// distribution (David & Nagaraja 2003, sec. 7.1); of fewer than six values the extremes, which hold it with less.
Interval median_interval(std::vector<double> values);
double mean(std::span<const double> values);
double standard_deviation(std::span<const double> values);  // n - 1; of at least two

// P(T <= t) of Student's distribution, and the t at which it is `p`.
double student_cdf(double t, double freedom);
double student_quantile(double p, double freedom);

Test mann_whitney(std::span<const double> a, std::span<const double> b);  // both non-empty
// Both of at least two values. Without any spread on either side p is 1 for equal means and 0 for others.
Test welch(std::span<const double> a, std::span<const double> b);
// Images that only A, and only B, has right.
Test mcnemar(int64_t only_a, int64_t only_b);
Test two_proportions(const Counts& a, const Counts& b);

}  // namespace convoy::report
