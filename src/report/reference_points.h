// Does a run converge plausibly? A check modelled after MLPerf's reference convergence points, and not theirs: the epochs
// until held-out top-1 reaches 75.9 % must not be statistically fewer than the reference's at that global minibatch (a
// recipe that learns faster than everybody's has usually seen the held-out images, or counts epochs otherwise). The least
// mean that passes: the reference's mean - t(0.95) sd sqrt(1/n + 1/m), with MLPerf's "olympic" means (the best and the worst
// of at least five left out). Between two points mean and sd are interpolated; unlike MLPerf's checker no point is pruned.
// Reference epochs: mlcommons/logging, rcps_resnet.json of training 4.0.0 (Google and NVIDIA, 10 to 28 seeds a point).
#pragma once

#include <filesystem>
#include <vector>

#include "report/comparison.h"

namespace convoy::report {

struct ReferencePoint {
  int64_t minibatch = 0;
  std::vector<double> epochs{};  // to the target, one a seed
};

const std::vector<ReferencePoint>& mlperf_resnet50();              // ascending by minibatch
std::vector<ReferencePoint> read_reference_points(const std::filesystem::path& file);  // MLPerf's rcps_*.json

struct ReferenceOptions {
  std::vector<ReferencePoint> points{};  // of the user's; empty: MLPerf's, for ResNet-50 on ImageNet alone
  double target = 0.759;                 // held-out top-1
};

// Adds to comparison.references: for MLPerf's points only the sides that they speak of.
void check_references(Comparison& comparison, const ReferenceOptions& options);

}  // namespace convoy::report
