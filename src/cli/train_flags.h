// The flags of `convoy train`, and the experiment that they and a job file, or the run that goes on, make together.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/elastic.h"
#include "cli/observe.h"
#include "cli/voice.h"
#include "train/checkpoints.h"
#include "train/experiment.h"
#include "train/placement.h"

namespace convoy::cli {

inline constexpr int kMostThreads = 4096;  // a rank

struct TrainFlags {
  std::string job, train, held_out, out, resume, weights, fresh;
  std::vector<std::string> overrides;
  PlacementOptions placement;
  CheckpointPolicy checkpoints;
  int64_t stall_seconds = 600, stop_after = 0, check_every = 100;
  std::string time_limit;
  ElasticFlags elastic;
  ObserveFlags observe;
  int loader_threads = 0;
  std::string shares;  // "": even; "auto"; or a list
  std::string device_input = "none";
  bool device_input_given = false;
  bool backend_given = false, threads_given = false, road_given = false;
  bool oversubscribe = false, no_overlap = false, dry_run = false;
  Voice voice;
};

void add_train_flags(CLI::App& command, TrainFlags& flags);

// What was given by flag is part of what the run remembers.
Experiment read_experiment(const TrainFlags& flags);

}  // namespace convoy::cli
