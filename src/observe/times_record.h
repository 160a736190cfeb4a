// Gathers the ranks' times at every evaluation and at the end (never at a step): times.jsonl, one line each,
//   {"event": "evaluation" | "end", "step": n, "share": {...}, "slowest": {...}, "advice": ..., "ranks": [{...}]}
// with the shares and sentences of observe/attribution.h, a line in the log, and the advice where there is one. "end"
// is over all steps of the launch. A launch's first step pays for set-up and is left out. Collective: one on every rank;
// rank 0 writes. Means and quantiles of very many steps are those of an even sample.
#pragma once

#include <filesystem>
#include <memory>

#include "base/log.h"
#include "base/thinned.h"
#include "observe/attribution.h"
#include "observe/guard.h"
#include "port/communicator.h"
#include "train/metrics.h"
#include "train/record.h"

namespace convoy {

class TimesRecord final : public Record {
 public:
  TimesRecord(std::filesystem::path file, Communicator& comm, Log log);
  Carried start(int64_t step, const FinalRecord& known) override;
  void step(const StepRecord& record) override;
  void evaluation(const EvaluationRecord& record) override;
  void finish(const FinalRecord& record) override;

 private:
  void tell(const char* event, int64_t step, const Thinned<StepTimes>& steps);

  std::filesystem::path path_;
  Communicator& comm_;
  Log log_;
  Guard guard_;
  std::unique_ptr<Metrics> file_;   // rank 0's
  Thinned<StepTimes> since_, all_;  // the last evaluation; the start
};

}  // namespace convoy
