// Steps depend on the steps before them (a neighbour's load, a hot processor, a filling cache), so n steps are not n
// observations: taken as such, two halves of one run already differ "significantly". Here consecutive samples are cut into
// blocks of twice the integrated autocorrelation time of their ranks (ranks, as single slow steps must not hide it; the
// sum is cut where pairs of autocorrelations turn negative: Geyer 1992, "Practical Markov chain Monte Carlo", sec. 3.3).
// Rank tests are made over the blocks' medians; the bootstrap draws whole blocks, around the end (Politis and Romano
// 1992, "A circular block-resampling procedure"). Draws are Philox's, of a fixed seed: the same file, the same interval.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "report/comparison.h"

namespace convoy::report {

// 1 for independent samples; n effective = n / this.
double autocorrelation_time(std::span<const double> samples);
size_t block_length(std::span<const double> samples);
// The medians of consecutive blocks; the samples that do not fill one are left out at the start.
std::vector<double> block_medians(std::span<const double> samples, size_t block);

// The medians of 2000 resampled series; `stream` tells apart the series of one comparison.
std::vector<double> bootstrap_medians(std::span<const double> samples, size_t block, uint64_t stream);
// The middle 95 %.
Interval middle(std::vector<double> draws);

}  // namespace convoy::report
