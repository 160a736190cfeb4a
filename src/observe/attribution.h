// Where the time of the steps went: each rank sums up its own steps, the summaries are laid side by side, and one
// sentence says what to do when something other than computing dominates. A step takes equally long on all ranks, as each
// waits in the sum of gradients for the last: so waiting for images, computing and updating are judged on the slowest
// rank (the most time of its own), and communication by the rank that waits least, as the others' waiting is that rank's
// slowness. Seconds; values without owners.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "train/rank_report.h"

namespace convoy {

// One rank's steps, summed up.
struct RankTimes {
  int rank = 0;
  std::string host;
  int64_t steps = 0;
  StepTimes mean{};         // mean.total + mean.other is a step from end to end
  double p50 = 0, p95 = 0;  // of a step's own time: all but the exposed communication and `other`
  double own() const { return mean.data_wait + mean.compute + mean.optimizer; }
};
RankTimes sum_up(int rank, const std::string& host, std::span<const StepTimes> steps);

nlohmann::ordered_json to_json(const RankTimes& times);
RankTimes rank_times(const nlohmann::ordered_json& json);

// Shares of a step from end to end, as told above: their sum is 1.
struct Attribution {
  double data_wait = 0, compute = 0, communication = 0, imbalance = 0, optimizer = 0, other = 0;
  size_t slowest = 0;  // index of the rank with the most time of its own
  double behind = 0;   // its mean own time over the median rank's, less 1
  std::string advice;  // one sentence, or empty
};
Attribution attribute(const std::vector<RankTimes>& ranks);  // of at least one rank
nlohmann::ordered_json to_json(const Attribution& attribution, const std::vector<RankTimes>& ranks);
std::string text(const Attribution& attribution);  // "93 % computing, 4 % communication, ..."

}  // namespace convoy
