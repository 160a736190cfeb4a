// `convoy plan --cluster FILE`: what a job would take on a cluster, by closed form: with every allreduce, on every count of
// ranks, and when something goes wrong.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/datasets.h"
#include "train/experiment.h"

namespace convoy::cli {

struct ClusterFlags {
  std::string file, basis = "calibration";
  std::vector<std::string> with;
};

// Ranks 0: one a worker, or as many as the cluster has.
nlohmann::ordered_json cluster_forecast(const ClusterFlags& flags, const Experiment& experiment, const Sets& sets,
                                        int ranks);
void print_forecast(const nlohmann::ordered_json& cluster);

}  // namespace convoy::cli
