// `--fail-if 'images_per_s < -5%'`: METRIC, one of < <= > >=, and a bound on the change of every side against the baseline.
// With % the change is relative; without, it is absolute: percentage points of accuracies, else the metric's own unit.
#pragma once

#include <string>
#include <vector>

#include "report/comparison.h"

namespace convoy::report {

struct Rule {
  std::string text, metric, comparison;
  double bound = 0;
  bool relative = false;
};

Rule parse_rule(const std::string& text);  // Exit::usage

// Adds to comparison.rules. A metric that no run has is Exit::usage; one that a side lacks leaves the rule unjudged.
void judge_rules(Comparison& comparison, const std::vector<Rule>& rules);

}  // namespace convoy::report
