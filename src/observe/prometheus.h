// RUN/metrics.prom: the run's present state as Prometheus text (exposition format 0.0.4), for node_exporter's textfile
// collector or any scraper of files. Replaced as a whole at most every five seconds, at evaluations and at the end; by
// rename alone, without fsync: a file that only tells of now need not survive a power cut. Rank 0's.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "train/record.h"

namespace convoy {

struct PrometheusFacts {
  std::string run, experiment;
  int64_t images_per_step = 0, steps = 0, samples = 0;  // planned steps; images of an epoch
};

class Prometheus final : public Record {
 public:
  Prometheus(std::filesystem::path file, PrometheusFacts facts);
  Carried start(int64_t step, const FinalRecord& known) override;
  void step(const StepRecord& record) override;
  void evaluation(const EvaluationRecord& record) override;
  void finish(const FinalRecord& record) override;
  void fail(int exit_code, const std::string& reason) override;
  std::string text() const;

 private:
  void write();

  std::filesystem::path path_;
  PrometheusFacts facts_;
  std::string status_ = "running";
  int ranks_ = 0;
  int64_t done_ = 0;
  std::optional<StepRecord> step_;
  std::optional<EvaluationRecord> evaluation_;
  std::optional<double> cpu_joules_, gpu_joules_;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace convoy
