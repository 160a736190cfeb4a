// Rank 0's Record: a line of metrics.jsonl per step and evaluation (appended and flushed), result.json
// replaced atomically at every evaluation and at the end, progress on the terminal or in the log, curve.svg
// at the end. On resume the metrics are cut back to the restored step, so that no step is there twice, and
// result.json continues from them. If the disk is full the run goes on, warned once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
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
  void start(int64_t step, const FinalRecord& known) override;
  void step(const StepRecord& record) override;
  void evaluation(const EvaluationRecord& record) override;
  void checkpoint(int64_t step, double seconds) override;
  void finish(const FinalRecord& record) override;

 private:
  void write_result();
  void careful(const std::function<void()>& write);  // a failed write is a warning

  Log log_;
  Progress progress_;
  RunDirectory directory_;
  std::string title_;
  Schedule schedule_;
  int64_t samples_;
  Result result_;
  std::unique_ptr<Metrics> metrics_;
  bool warned_ = false;
};

}  // namespace convoy
