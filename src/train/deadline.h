// When the job ends whether the run has or not: --time-limit, or what the scheduler says. The loop asks before every step
// whether another one, and a checkpoint, would still fit; if not, it stops as a signal would make it.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace convoy {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  Deadline() = default;  // none
  explicit Deadline(Clock::time_point end) : end_(end) {}

  bool set() const { return end_.has_value(); }
  double seconds_left() const;  // infinity without one
  // What has to be done before the end takes `seconds` at its slowest so far.
  bool near(double seconds) const { return seconds_left() < margin * seconds + grace; }

  static constexpr double margin = 2.0, grace = 10.0;  // seconds: ranks end, results are written

 private:
  std::optional<Clock::time_point> end_;
};

// The earlier of `limit` from now ("" for none) and the scheduler's word: SLURM_JOB_END_TIME, in seconds since 1970.
Deadline deadline_of(const std::string& limit);

}  // namespace convoy
