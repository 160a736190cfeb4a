// Are two runs of one experiment the same, bit by bit? By the weights' digests at the evaluations, and, where both folders
// have their metrics.jsonl, by every step's exact sums (a loss is an integer there): the first that differs is named, with
// what differs between the launches that the bits may depend on.
#pragma once

#include "report/comparison.h"

namespace convoy::report {

Numerics compare_numerics(const Run& a, const Run& b);

}  // namespace convoy::report
