// Which runs belong together: what one argument named, or all that have the same values of the --group-by keys.
#pragma once

#include <string>
#include <vector>

#include "report/comparison.h"

namespace convoy::report {

// Fills comparison.runs and .sides.
void set_sides(Comparison& comparison, std::vector<std::vector<Run>> arguments,
               const std::vector<std::string>& group_by);

// "experiment.hash", "network.width", "launch.backend"; "experiment.recipe" is all that the bits depend on but the seed.
std::string group_value(const Run& run, const std::string& key);  // "" where the run does not say

}  // namespace convoy::report
