// The spans of one rank, in memory that is taken once: while it is on, the first `limit` are kept, later ones counted.
// add() may be called from any thread.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "base/spans.h"

namespace convoy {

class SpanStore final : public SpanSink {
 public:
  explicit SpanStore(size_t limit) { spans_.reserve(limit); }
  void add(const Span& span) noexcept override {
    if (!on_.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex_);
    if (spans_.size() < spans_.capacity())
      spans_.push_back(span);
    else
      ++dropped_;
  }
  void turn(bool on) { on_.store(on, std::memory_order_relaxed); }
  std::vector<Span> take(int64_t& dropped) {
    const std::lock_guard lock(mutex_);
    dropped = dropped_;
    return std::move(spans_);
  }

 private:
  std::atomic<bool> on_ = false;
  std::mutex mutex_;
  std::vector<Span> spans_;
  int64_t dropped_ = 0;
};

}  // namespace convoy
