#include "train/guard.h"

#include <algorithm>
#include <bit>

namespace convoy {

bool Guard::skip(int64_t step, const std::string& trouble) {
  if (!skips_ || ++in_a_row_ > skips_in_a_row) return false;
  ++skipped_;
  log_.warn("step {} is left out ({} so far): {}", step, skipped_, trouble);
  return true;
}

double Guard::median() {
  sorted_ = norms_;
  const auto middle = sorted_.begin() + static_cast<std::ptrdiff_t>(sorted_.size() / 2);
  std::nth_element(sorted_.begin(), middle, sorted_.end());
  return *middle;
}

bool Guard::outlier(int64_t step, double norm) {
  in_a_row_ = 0;
  if (norms_.size() >= least_history && norm > far * median()) {
    // All are in metrics.jsonl; the log has the 1st, 2nd, 4th, 8th ...
    if (std::has_single_bit(static_cast<uint64_t>(++outliers_)))
      log_.warn(
          "the gradient's norm at step {} is {:.3g}, {:.0f} times the median of the {} steps before "
          "({} such steps so far): a fault of memory, a broken image, or a rate that is too high by now",
          step, norm, norm / median(), norms_.size(), outliers_);
    return true;
  }
  if (norms_.size() < history)
    norms_.push_back(norm);
  else
    norms_[next_] = norm;
  next_ = (next_ + 1) % history;
  return false;
}

}  // namespace convoy
