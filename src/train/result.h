// result.json, schema convoy.result/1: every fact that two runs are compared by. Units are in the names,
// accuracies are integers beside fractions, what is not known is null (never 0), NaN never appears. Built on
// rank 0 from the records.
#pragma once

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/thinned.h"
#include "train/experiment.h"
#include "train/metrics.h"
#include "train/placement.h"
#include "train/record.h"

namespace convoy {

// The keys that the experiment reads, section by section: "experiment.resolved".
nlohmann::ordered_json resolved_json(const Experiment& experiment);

class Result {
 public:
  Result(const Experiment& experiment, const DatasetFacts& train, const DatasetFacts& held_out,
         const Placement& placement, std::string run_id, std::vector<std::string> command,
         std::string mpi_library);

  void resume(const std::vector<Json>& metrics, int64_t step);  // what happened before
  void step(const StepRecord& record);
  void evaluation(const EvaluationRecord& record);
  void finish(const FinalRecord& record);
  void fail(int exit_code, const std::string& reason);  // ended by an error; what is known stays
  bool ended() const { return !ended_.empty(); }
  void know(const FinalRecord& record);  // facts about ranks and plans; status stays "running"
  Json json() const;
  void write(const std::filesystem::path& path) const;  // atomic

 private:
  void count(double seconds, bool warmup);
  Json experiment() const;
  Json launch() const;
  Json allreduce() const;
  Json steps() const;
  Json numerics() const;
  Json efficiency() const;

  Json tool_;  // asked once: HDF5 tells its version, and is a checkpoint's alone once the training has begun
  Experiment experiment_;
  DatasetFacts train_, held_out_;
  Placement placement_;
  std::vector<std::string> command_;
  std::string run_id_, mpi_library_, started_, ended_;
  std::string status_ = "running";
  int64_t resumed_at_ = 0, steps_done_ = 0;
  std::vector<Json> epochs_;
  // Of all steps, launches before this one included, but each launch's first.
  Thinned<double> step_seconds_;
  double shortest_ = std::numeric_limits<double>::infinity(), longest_ = 0;
  int64_t launches_first_ = 0;          // those left out
  int64_t skipped_ = 0, outliers_ = 0;  // steps, see StepRecord
  FinalRecord before_;                  // seconds of earlier launches; initialization is not in the metrics
  RangeErrors wire_;                    // over all steps, restored ones included
  FinalRecord known_;
};

// Nearest-rank quantiles {min, p05, p25, median, p75, p95, max} of a non-empty sample.
Json quantiles(std::vector<double> values);

}  // namespace convoy
