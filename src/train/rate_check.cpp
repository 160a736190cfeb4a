#include "train/rate_check.h"

#include <fmt/format.h>

#include "train/optimizer.h"

namespace convoy {

std::string rate_doubt(const Experiment& e) {
  const ScheduleOptions& s = e.schedule;
  const OptimizerOptions& o = e.optimizer;
  const auto global = static_cast<double>(e.minibatch.global());
  if (s.allow_large_rate || s.per_images == 0 || global <= s.per_images) return "";
  const double scaled = s.rate * global / s.per_images;
  const bool by_trust = o.kind == "lars" && !rate_is_bound(o);
  const bool doubtful =
      by_trust ? scaled * o.trust > 0.1 : s.rate * 256 / s.per_images * 0.1 / (1.0 - o.momentum) > 0.4;
  if (!doubtful) return "";
  return fmt::format(
      "schedule.rate = {0} may be scaled twice: read as the rate for {1} images it becomes {0} x {2}/{1} = "
      "{3} for the minibatch of {2}; if {0} is already the rate for {2} images, take schedule.per_images "
      "out, and if {3} is meant, say schedule.allow_large_rate = true",
      s.rate, s.per_images, e.minibatch.global(), scaled);
}

}  // namespace convoy
