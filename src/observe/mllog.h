// RUN/mllog.txt: MLPerf training's log lines, `:::MLLOG {json}`, in the open division, so that mlperf-logging's checker and
// the tools around it read a run:
//   python -m mlperf_logging.compliance_checker --usage training --ruleset 4.0.0 RUN/mllog.txt
// The division and the benchmark are lines of the log. Ruleset 4.0.0 is the last with this benchmark. What is written is
// what was done, so the checker refuses what the rules do not know: an AlexNet (it ends on the missing file of rules
// open_alexnet*.yaml), a run without a held-out set (no eval_accuracy), one that has not ended or was stopped (no
// run_stop). It accepts any ResNet and any optimizer here, but the closed division's rules would refuse an opt_name other
// than sgd and lars, schedules that are not poly-2 to 1e-4, decays that are not 1e-4 x 2^k, and less than 75.9 %.
// A resumed run goes on in the same file, after the lines of steps that are repeated have been cut. Rank 0's; few lines,
// each written at once.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "observe/appender.h"
#include "train/experiment.h"
#include "train/record.h"
#include "train/schedule.h"

namespace convoy {

class MlLog final : public Record {
 public:
  MlLog(std::filesystem::path file, Experiment experiment, const DatasetFacts& train,
        const DatasetFacts& held_out);
  Carried start(int64_t step, const FinalRecord& known) override;
  void step(const StepRecord& record) override;
  void evaluation(const EvaluationRecord& record) override;
  void finish(const FinalRecord& record) override;

 private:
  using Json = nlohmann::ordered_json;
  enum class Type { point, start, end };
  void write(const std::string& key, const Json& value, Json metadata = Json::object());
  void write(Type type, int64_t time_ms, const std::string& key, const Json& value, Json metadata);
  void keep_until(int64_t steps);
  void describe(const FinalRecord& known);
  int64_t epoch_at(int64_t steps) const;

  std::filesystem::path path_;
  Experiment experiment_;
  DatasetFacts train_, held_out_;
  Schedule schedule_;
  int64_t begun_ms_, last_ms_ = 0;
  std::unique_ptr<Appender> file_;
  bool in_block_ = false;
  int64_t block_from_ = 0;  // steps done before it
};

// What the optimizer's and the schedule's keys say, in the order of the log: opt_name first.
std::vector<std::pair<std::string, nlohmann::ordered_json>> mllog_recipe(const Experiment& experiment,
                                                                         int64_t training_samples);

}  // namespace convoy
