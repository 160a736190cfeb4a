// What the loop tells the world: one call a step, an evaluation, a checkpoint, and the end. Rank 0 gets a
// RunRecord (train/run_record.h: files and progress), other ranks the silent base class. Calls are made in
// step order from one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "comm/wire.h"
#include "port/batch.h"
#include "train/rank_report.h"

namespace convoy {

struct StepRecord {
  int64_t step = 0;
  Totals totals;  // over all workers and ranks
  double rate = 0;
  StepTimes times;                   // this rank's
  bool warmup = false;               // the first of a launch, which pays for set-up: in no quantile
  double gradient_norm = 0;          // of the mean gradient over all workers
  bool outlier = false;              // that norm is far out of its history (train/guard.h)
  bool skipped = false;              // not finite, and no update was made
  std::optional<RangeErrors> wire;   // of a 16-bit wire, over all ranks
  std::optional<double> loss_scale;  // of this step, in fp16
};

struct EvaluationRecord {
  int64_t step = 0;   // the step after which it was made
  double epochs = 0;  // passed
  Totals train;       // since the last evaluation
  Totals held_out;    // images = 0 without a held-out set
  double rate = 0;
  double train_seconds = 0, seconds = 0;
  std::string digest;  // of all weights
};

// What the hosts of the job used from start() on; null where it could not be read, and `reason` says why.
struct Energy {
  std::optional<double> cpu_joules, gpu_joules;  // processors and memory by RAPL; all GPUs by NVML
  int64_t images = 0;                            // trained on meanwhile
  std::string source, reason = "not measured";
};

struct FinalRecord {
  std::string status = "completed";  // completed | time_limit | diverged | failed; "running" in start()
  int exit_code = 0;
  std::string reason;  // of a status other than completed
  int64_t steps = 0;   // done, of the experiment
  std::string digest;
  std::string claim;            // what is promised about the bits
  int64_t flops_per_image = 0;  // training: forward and backward
  int64_t allreduce_bytes = 0;  // of one step's gradients and statistics on the wire
  std::vector<RankReport> ranks;
  double init_seconds = 0, train_seconds = 0, evaluate_seconds = 0, checkpoint_seconds = 0;
  Energy energy;
};

// Sums over the steps since the last evaluation, those of earlier launches included.
struct Carried {
  Totals train;
  double seconds = 0;
};

class Record {
 public:
  virtual ~Record() = default;
  // What the steps before `step` have left; only rank 0 knows, and only rank 0 tells.
  virtual Carried start(int64_t /*step: restored, or 0*/, const FinalRecord& /*what is known by then*/) {
    return {};
  }
  virtual void step(const StepRecord&) {}
  virtual void evaluation(const EvaluationRecord&) {}
  virtual void checkpoint(int64_t /*steps done*/, double /*seconds*/) {}
  virtual void finish(const FinalRecord&) {}
  // The launch ends on an error: instead of finish(), after start() or not.
  virtual void fail(int /*exit code*/, const std::string& /*the sentence*/) {}
};

}  // namespace convoy
