// What may not pass in silence: steps whose loss, gradients or statistics are not finite, and gradients far out of their
// history (a flipped bit in an exponent, a broken image, a rate too high by now). A step that is not finite ends the run,
// or is left out and counted (train.on_nonfinite = "skip"); an outlier is told, and the step is taken. The same on every
// rank, as it looks at sums over all ranks alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/log.h"

namespace convoy {

class Guard {
 public:
  static constexpr size_t history = 64, least_history = 16;
  static constexpr double far = 20.0;       // times the median of the history
  static constexpr int skips_in_a_row = 8;  // more are no accident

  Guard(bool skips, Log log) : skips_(skips), log_(std::move(log)) {
    norms_.reserve(history);
    sorted_.reserve(history);
  }

  // Whether a step with this trouble is left out; otherwise the run ends.
  bool skip(int64_t step, const std::string& trouble);
  // Of a step that is taken: the norm of its mean gradient. True if it is an outlier, which is no history.
  bool outlier(int64_t step, double norm);
  int64_t skipped() const { return skipped_; }
  int64_t outliers() const { return outliers_; }

 private:
  double median();

  bool skips_;
  Log log_;
  std::vector<double> norms_, sorted_;  // a ring, and median()'s copy of it: no step allocates
  size_t next_ = 0;
  int64_t skipped_ = 0, outliers_ = 0;
  int in_a_row_ = 0;
};

}  // namespace convoy
