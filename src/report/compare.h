// `convoy compare`: runs, put on sides, become a Comparison. Comparability comes first: what is not comparable with the
// baseline (report/comparability.h) is refused with the keys that differ, unless forced. Then quantities (report/rows.h),
// numerics of one run a side, curves, MLPerf's reference points, and the verdict: a regression is a quantity that decides
// and is worse, or a run that did not complete where the baseline's did; `--fail-if` replaces the former by its rules.
#pragma once

#include <string>
#include <vector>

#include "report/comparison.h"
#include "report/reference_points.h"
#include "report/rows.h"
#include "report/rules.h"

namespace convoy::report {

struct CompareOptions {
  bool force = false;
  RowOptions rows{};
  ReferenceOptions references{};
  std::vector<Rule> rules{};
  std::vector<std::string> group_by{};  // keys; empty: the sides as they were named
};

// Each element is what one argument named. One argument of several runs: each is a side. Exit::usage below two sides.
Comparison compare(std::vector<std::vector<Run>> arguments, const CompareOptions& options = {});

}  // namespace convoy::report
