// curve.svg: training loss and held-out top-1 over epochs, one self-contained file that follows the viewer's
// light or dark scheme. Drawn from the evaluations' and steps' lines of metrics.jsonl.
#pragma once

#include <string>
#include <vector>

#include "train/metrics.h"

namespace convoy {

// `images_per_epoch`: of the training set.
std::string draw_curve(const std::string& title, const std::vector<Json>& metrics, int64_t images_per_epoch);

}  // namespace convoy
