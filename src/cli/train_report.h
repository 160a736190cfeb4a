// What `convoy train` says on standard output, by rank 0 alone: what it would do (--dry-run), and what it has done; as
// text, or as one line of JSON.
#pragma once

#include "cli/voice.h"
#include "train/placement.h"
#include "train/run_directory.h"
#include "train/schedule.h"
#include "train/trainer.h"

namespace convoy::cli {

struct Forecast {
  const Experiment& experiment;
  const Schedule& schedule;
  const Placement& placement;
  std::filesystem::path folder;  // of the run; empty: one named by the time
  bool resume = false;
};

// Refuses what the run would be refused for because of its folder; writes nothing.
void report_forecast(const Forecast& forecast, const Voice& voice);
void report_outcome(const Outcome& outcome, const RunDirectory& directory, const Voice& voice);

}  // namespace convoy::cli
