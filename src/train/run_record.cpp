#include "train/run_record.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace convoy {

RunRecord::RunRecord(RunFacts facts, Log log, Progress progress)
    : log_(std::move(log)),
      progress_(std::move(progress)),
      directory_(facts.directory),
      schedule_(facts.experiment, facts.train.samples),
      samples_(facts.train.samples),
      result_(facts.experiment, facts.train, facts.held_out, facts.placement,
              directory_.root.filename().string(), std::move(facts.command), std::move(facts.mpi_library)),
      curve_(facts.experiment.name, samples_) {}

RunRecord::~RunRecord() { progress_.clear(); }

void RunRecord::careful(const std::filesystem::path& path, const std::function<void()>& write) {
  try {
    write();
  } catch (const std::exception& error) {
    if (!warned_.insert(path).second) return;
    progress_.clear();
    log_.warn("{}; the run goes on without it", error.what());
  }
}

void RunRecord::append(const Json& line) {
  curve_.add(line);
  careful(directory_.metrics(), [&] { metrics_->append(line); });
}

void RunRecord::draw() {
  careful(directory_.curve(), [&] { replace_file(directory_.curve(), curve_.svg()); });
}

Carried RunRecord::start(int64_t step, const FinalRecord& known) {
  metrics_ = std::make_unique<Metrics>(directory_.metrics(), step);
  const std::vector<Json> kept = metrics_->take_kept();  // a long run's are many: not beyond this call
  result_.resume(kept, step);
  result_.know(known);
  for (const Json& line : kept) curve_.add(line);
  progress_.start(step, schedule_.steps(), schedule_.global(), samples_);
  const size_t ranks = known.ranks.size();
  log_.info("{} steps of {} images, {} rank{}, {}; results in {}", schedule_.steps(), schedule_.global(),
            ranks, ranks == 1 ? "" : "s", known.claim, directory_.root.string());
  careful(directory_.result(), [&] { result_.write(directory_.result()); });
  return carried(kept);
}

void RunRecord::step(const StepRecord& record) {
  append(to_json(record, schedule_.global()));
  result_.step(record);
  progress_.step(record);
}

void RunRecord::evaluation(const EvaluationRecord& record) {
  append(to_json(record));
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
  careful(directory_.result(), [&] { result_.write(directory_.result()); });
  draw();
}

void RunRecord::checkpoint(int64_t steps_done, double seconds) {
  append({{"event", "checkpoint"},
          {"step", steps_done - 1},
          {"steps_done", steps_done},
          {"seconds_s", seconds}});
  progress_.clear();  // this may be the last before the end, and others speak there first
}

void RunRecord::finish(const FinalRecord& record) {
  progress_.clear();
  result_.finish(record);
  draw();
  try {
    result_.write(directory_.result());
  } catch (const std::exception& error) {
    convoy::fail(Exit::temporary,
                 "{} is not the final result: {}; the checkpoints hold the weights, --resume writes it again",
                 directory_.result().string(), error.what());
  }
  if (record.status == "completed")
    log_.info("done: {} of training, {} of evaluation; weights {}", human_seconds(record.train_seconds),
              human_seconds(record.evaluate_seconds), record.digest);
}

void RunRecord::fail(int exit_code, const std::string& reason) {
  progress_.clear();
  log_.file_only(reason);
  if (!metrics_ || result_.ended())
    return;  // not begun: the folder's result is another launch's; or already told
  result_.fail(exit_code, reason);
  draw();
  careful(directory_.result(), [&] { result_.write(directory_.result()); });
}

void mark_failed(const RunDirectory& directory, int exit_code, const std::string& reason) {
  try {
    Json result = Json::parse(read_text(directory.result()), nullptr, false);
    if (!result.is_object() || result.value("status", "") != "running") return;
    result["status"] = "failed";
    result["exit_code"] = exit_code;
    result["reason"] = reason;
    result["ended"] = utc_now();
    replace_file(directory.result(), result.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } catch (const std::exception&) {
    // This host does not see the folder, or its disk is the fault: the sentence goes to standard error all the same.
  }
}

}  // namespace convoy
