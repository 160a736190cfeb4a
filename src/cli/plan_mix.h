// What ranks of different speed would gain together, before one starts: `convoy plan JOB --speeds`. The step is as long as
// the slowest rank's share of it; its allreduce is left out (`--cluster` forecasts that).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "train/experiment.h"

namespace convoy::cli {

// `speeds`: images a second of each rank, as `convoy train` says them with --shares auto.
std::vector<int> workers_by_speed(const Experiment& experiment, const std::vector<double>& speeds);
nlohmann::ordered_json mix_forecast(const Experiment& experiment, const std::vector<double>& speeds);
void print_mix(const nlohmann::ordered_json& mix);

}  // namespace convoy::cli
