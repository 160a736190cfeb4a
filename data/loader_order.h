// Which sample stands at which position: a contract of the program, on which the bits depend.
// Training samples form ONE endless stream, the permutations of epoch 0, 1, 2, ... behind one another; step s, worker w,
// image i takes position (s*W + w)*b + i. Nothing is ever dropped, so step counts equal the papers'. Held-out samples
// come in plain order at the same positions, and positions behind the last sample are padding.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/random.h"

namespace convoy {

struct Place {
  int64_t sample = -1;  // -1: padding
  int64_t epoch = 0;
  bool operator==(const Place&) const = default;
};

class DataOrder {
 public:
  DataOrder(int64_t samples, bool training, uint64_t seed)
      : samples_(samples), training_(training), seed_(seed) {}

  Place at(int64_t position) {
    if (!training_) return {position < samples_ ? position : -1, 0};
    const int64_t epoch = position / samples_;
    return {(*order(epoch))[static_cast<size_t>(position % samples_)], epoch};
  }

 private:
  using Order = std::shared_ptr<const std::vector<uint32_t>>;

  // The last few permutations are kept: loaders read near one place, at most across an epoch's edge.
  Order order(int64_t epoch) {
    const std::lock_guard lock(mutex_);
    for (const auto& [known, order] : recent_)
      if (order && known == epoch) return order;
    auto& oldest = recent_[next_++ % recent_.size()];
    oldest = {epoch,
              std::make_shared<std::vector<uint32_t>>(permutation(
                  static_cast<uint32_t>(samples_), seed_, stream_of("order", static_cast<uint64_t>(epoch))))};
    return oldest.second;
  }

  int64_t samples_;
  bool training_;
  uint64_t seed_;
  std::mutex mutex_;
  std::array<std::pair<int64_t, Order>, 4> recent_;
  size_t next_ = 0;
};

}  // namespace convoy
