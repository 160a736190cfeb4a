#include "observe/observers.h"

#include <algorithm>

namespace convoy {

void Observers::add(std::unique_ptr<Record> alone) { alone_.push_back({std::move(alone), Guard(log_)}); }

void Observers::add_collective(std::unique_ptr<Record> together) { together_.push_back(std::move(together)); }

template <class Call>
void Observers::each(const Call& call) {
  for (const auto& record : together_) call(*record);
  for (Alone& alone : alone_) alone.guard([&] { call(*alone.record); });
}

Carried Observers::start(int64_t step, const FinalRecord& known) {
  const Carried carried = run_->start(step, known);
  each([&](Record& record) { record.start(step, known); });
  if (meter_) meter_->start();
  mark_ = Clock::now();
  return carried;
}

void Observers::step(const StepRecord& record) {
  StepRecord whole = record;
  const auto now = Clock::now();
  whole.times.other = std::max(0.0, std::chrono::duration<double>(now - mark_).count() - record.times.total);
  mark_ = now;  // what follows is part of the next step's `other`
  images_ += record.totals.images;
  run_->step(whole);
  each([&](Record& observer) { observer.step(whole); });
  if (meter_) meter_->sample();
}

void Observers::evaluation(const EvaluationRecord& record) {
  run_->evaluation(record);
  each([&](Record& observer) { observer.evaluation(record); });
  if (meter_) meter_->sample();
  mark_ = Clock::now();
}

void Observers::checkpoint(int64_t steps_done, double seconds) {
  run_->checkpoint(steps_done, seconds);
  each([&](Record& observer) { observer.checkpoint(steps_done, seconds); });
  mark_ = Clock::now();
}

void Observers::finish(const FinalRecord& record) {
  FinalRecord whole = record;
  if (meter_) whole.energy = meter_->stop();
  whole.energy.images = images_;
  // The run's own last, as it may throw and all ranks are still needed.
  each([&](Record& observer) { observer.finish(whole); });
  run_->finish(whole);
}

void Observers::fail(int exit_code, const std::string& reason) {
  run_->fail(exit_code, reason);
  for (Alone& alone : alone_) alone.guard([&] { alone.record->fail(exit_code, reason); });
}

}  // namespace convoy
