// Two curves over images seen, which is the one axis that survives another minibatch. Over the range that both have, a
// curve of more than 200 points is averaged in 200 equal bins (a single step's loss is mostly its images' luck), then both
// are interpolated linearly at each other's points.
#pragma once

#include <optional>

#include "report/comparison.h"

namespace convoy::report {

// nullopt where they have no range in common.
std::optional<CurveDifference> curve_difference(const Curve& a, const Curve& b);

}  // namespace convoy::report
