// `convoy plan --cluster FILE`: what a job would take on a cluster, by closed form: with every allreduce, on every count of
// ranks, and when something goes wrong.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "train/experiment.h"

namespace convoy::cli {

struct ClusterFlags {
  std::string file, basis = "calibration";
  std::vector<std::string> with;
};

nlohmann::ordered_json cluster_forecast(const ClusterFlags& flags, const Experiment& experiment, int ranks);
void print_forecast(const nlohmann::ordered_json& cluster);

}  // namespace convoy::cli
