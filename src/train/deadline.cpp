#include "train/deadline.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "base/duration.h"

namespace convoy {

double Deadline::seconds_left() const {
  if (!end_) return std::numeric_limits<double>::infinity();
  return std::chrono::duration<double>(*end_ - Clock::now()).count();
}

Deadline deadline_of(const std::string& limit) {
  const auto now = Deadline::Clock::now();
  std::optional<Deadline::Clock::time_point> end;
  if (!limit.empty()) end = now + parse_duration(limit);
  if (const char* scheduled = std::getenv("SLURM_JOB_END_TIME"); scheduled != nullptr) {
    const int64_t at = std::strtoll(scheduled, nullptr, 10);
    const auto today = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const int64_t left = at - today.time_since_epoch().count();
    // Ten years hence is no end; in nanoseconds it may be beyond what a clock can hold, and so seem past.
    if (at > 0 && left < int64_t{10} * 365 * 86400)
      end = std::min(end.value_or(Deadline::Clock::time_point::max()), now + std::chrono::seconds(left));
  }
  return end ? Deadline(*end) : Deadline();
}

}  // namespace convoy
