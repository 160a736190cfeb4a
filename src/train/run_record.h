// Rank 0's Record: a line of metrics.jsonl per step and evaluation (appended and flushed), result.json
// and curve.svg replaced atomically at every evaluation and at the end, progress on the terminal or in the log. On
// resume the metrics are cut back to the restored step, so that no step is there twice, and result.json continues
// from them. If the disk is full the run goes on, warned once a file; but without its final result it has failed.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "train/curve.h"
#include "train/experiment.h"
#include "train/metrics.h"
#include "train/placement.h"
#include "train/progress.h"
#include "train/record.h"
#include "train/result.h"
#include "train/run_directory.h"
#include "train/schedule.h"

namespace convoy {

struct RunFacts {
  RunDirectory directory;
  Experiment experiment;
  DatasetFacts train, held_out;
  Placement placement;
  std::vector<std::string> command;
  std::string mpi_library;
};

class RunRecord final : public Record {
 public:
  RunRecord(RunFacts facts, Log log, Progress progress);
  ~RunRecord() override;
  Carried start(int64_t step, const FinalRecord& known) override;
  void step(const StepRecord& record) override;
  void evaluation(const EvaluationRecord& record) override;
  void checkpoint(int64_t step, double seconds) override;
  void finish(const FinalRecord& record) override;  // Exit::temporary if result.json cannot be written
  void fail(int exit_code, const std::string& reason) override;

 private:
  void append(const Json& line);
  void draw();
  // A failed write is a warning, the first time for a file.
  void careful(const std::filesystem::path& path, const std::function<void()>& write);

  Log log_;
  Progress progress_;
  RunDirectory directory_;
  Schedule schedule_;
  int64_t samples_;
  Result result_;
  Curve curve_;
  std::unique_ptr<Metrics> metrics_;
  std::set<std::filesystem::path> warned_;
};

// On a rank other than 0, whose error ends the job before rank 0 could write it: result.json is no longer "running".
void mark_failed(const RunDirectory& directory, int exit_code, const std::string& reason);

}  // namespace convoy
