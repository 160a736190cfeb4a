// Several Records behind the one that the loop knows: the run's own first (its errors are the run's), then observers,
// whose errors are warnings, said once each. It completes what the loop cannot see: the time between two steps
// (StepTimes::other), and the energy of the whole. Every rank of a job has one, silent or not: an observer may talk to
// the other ranks in start(), evaluation() and finish(), which the loop calls on all of them, and then has to catch its
// own files' errors itself, so that all ranks stay together.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "base/log.h"
#include "observe/guard.h"
#include "train/record.h"

namespace convoy {

// Asked for energy at start and end; null readings say why.
class Meter {
 public:
  virtual ~Meter() = default;
  virtual void start() = 0;   // collective
  virtual void sample() = 0;  // often enough that no counter wraps twice unseen; cheap
  virtual Energy stop() = 0;  // collective; images are the caller's
};

class Observers final : public Record {
 public:
  Observers(std::unique_ptr<Record> run, Log log) : log_(std::move(log)), run_(std::move(run)) {}
  void add(std::unique_ptr<Record> alone);  // a writer of files: its errors are caught here
  void add_collective(std::unique_ptr<Record> together);
  void set(std::unique_ptr<Meter> meter) { meter_ = std::move(meter); }

  Carried start(int64_t step, const FinalRecord& known) override;
  void step(const StepRecord& record) override;
  void evaluation(const EvaluationRecord& record) override;
  void checkpoint(int64_t steps_done, double seconds) override;
  void finish(const FinalRecord& record) override;
  void fail(int exit_code, const std::string& reason) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Alone {
    std::unique_ptr<Record> record;
    Guard guard;
  };
  template <class Call>
  void each(const Call& call);

  Log log_;
  std::unique_ptr<Record> run_;
  std::vector<Alone> alone_;
  std::vector<std::unique_ptr<Record>> together_;
  std::unique_ptr<Meter> meter_;
  Clock::time_point mark_{};  // since when time is `other`
  int64_t images_ = 0;
};

}  // namespace convoy
