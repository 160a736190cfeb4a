// RUN/events.out.tfevents.<unix time>.<host>.<process>.0, one a launch: `tensorboard --logdir RUN`. Scalars train/loss,
// train/top1, train/rate, train/images_per_s at every step, held_out/loss, held_out/top1, held_out/top5 at evaluations,
// all over images seen, which is the only axis on which runs of other minibatches can be laid. Rank 0's.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "observe/appender.h"
#include "train/record.h"

namespace convoy {

class TensorBoard final : public Record {
 public:
  TensorBoard(std::filesystem::path folder, std::string host, int64_t images_per_step);
  Carried start(int64_t step, const FinalRecord& known) override;
  void step(const StepRecord& record) override;
  void evaluation(const EvaluationRecord& record) override;
  void finish(const FinalRecord& record) override;
  void fail(int exit_code, const std::string& reason) override;

 private:
  std::filesystem::path folder_;
  std::string host_;
  int64_t images_;  // a step
  std::unique_ptr<Appender> file_;
};

}  // namespace convoy
