// The quantities, side by side. One run a side with raw samples: medians with bootstrap intervals, Mann-Whitney over
// independent blocks, and a verdict where the change is beyond the margin, its interval excludes 0, and p < 0.01; undecided
// where only some of these hold, and where a run drifts so much that it has fewer than 5 blocks. Fewer than 8 samples: the
// margin alone decides, and it says so. Counts of the same images: McNemar with both sides' predictions, else two
// proportions (which takes them for other images, and finds less), p < 0.05. Several runs on both sides: Welch (or
// Mann-Whitney) over the runs' values, p < 0.05.
#pragma once

#include <vector>

#include "report/comparison.h"

namespace convoy::report {

struct RowOptions {
  double speed_margin = 0.03;      // relative change that counts
  double accuracy_margin = 0.005;  // absolute change of a share that counts
  bool rank_test = false;          // over seeds: Mann-Whitney instead of Welch
};

// Fills comparison.rows from its runs, sides and pairings.
void add_rows(Comparison& comparison, const RowOptions& options);

}  // namespace convoy::report
