#include "train/run_record.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "train/curve.h"

namespace convoy {

RunRecord::RunRecord(RunFacts facts, Log log, Progress progress)
    : log_(std::move(log)),
      progress_(std::move(progress)),
      directory_(facts.directory),
      title_(facts.experiment.name),
      schedule_(facts.experiment, facts.train.samples),
      samples_(facts.train.samples),
      result_(facts.experiment, facts.train, facts.held_out, facts.placement,
              directory_.root.filename().string(), std::move(facts.command), std::move(facts.mpi_library)) {}

RunRecord::~RunRecord() { progress_.clear(); }

void RunRecord::careful(const std::function<void()>& write) {
  try {
    write();
  } catch (const std::exception& error) {
    if (std::exchange(warned_, true)) return;
    progress_.clear();
    log_.warn("{}; the run goes on without it", error.what());
  }
}

void RunRecord::start(int64_t step, const FinalRecord& known) {
  metrics_ = std::make_unique<Metrics>(directory_.metrics(), step);
  result_.resume(metrics_->kept(), step);
  result_.know(known);
  progress_.start(step, schedule_.steps(), schedule_.global(), samples_);
  const size_t ranks = known.ranks.size();
  log_.info("{} steps of {} images, {} rank{}, {}; results in {}", schedule_.steps(), schedule_.global(),
            ranks, ranks == 1 ? "" : "s", known.claim, directory_.root.string());
  write_result();
}

void RunRecord::step(const StepRecord& record) {
  careful([&] { metrics_->append(to_json(record, schedule_.global())); });
  result_.step(record);
  progress_.step(record);
}

void RunRecord::evaluation(const EvaluationRecord& record) {
  careful([&] { metrics_->append(to_json(record)); });
  result_.evaluation(record);
  progress_.clear();
  const Totals& held_out = record.held_out;
  const auto percent = [&](int64_t part) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(held_out.images);
  };
  if (held_out.images > 0) {
    log_.info(
        "epoch {:.2f}: train loss {:.4f}, held-out loss {:.4f}, top-1 {:.2f} % ({} of {}), top-5 {:.2f} %",
        record.epochs, record.train.mean_loss(), held_out.mean_loss(), percent(held_out.correct1),
        held_out.correct1, held_out.images, percent(held_out.correct5));
  } else {
    log_.info("epoch {:.2f}: train loss {:.4f}; no held-out set", record.epochs, record.train.mean_loss());
  }
  write_result();
}

void RunRecord::checkpoint(int64_t steps_done, double seconds) {
  careful([&] {
    metrics_->append({{"event", "checkpoint"},
                      {"step", steps_done - 1},
                      {"steps_done", steps_done},
                      {"seconds_s", seconds}});
  });
}

void RunRecord::finish(const FinalRecord& record) {
  progress_.clear();
  result_.finish(record);
  write_result();
  careful([&] {
    const auto lines = read_metrics(directory_.metrics());
    replace_file(directory_.curve(), draw_curve(title_, lines, samples_));
  });
  if (record.status == "completed")
    log_.info("done: {} of training, {} of evaluation; weights {}", human_seconds(record.train_seconds),
              human_seconds(record.evaluate_seconds), record.digest);
}

void RunRecord::write_result() {
  careful([&] { result_.write(directory_.result()); });
}

}  // namespace convoy
