#include "comm/reducer.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "base/error.h"
#include "comm/bucket_sums.h"
#include "comm/ladder.h"
#include "comm/shares.h"

namespace convoy {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

class Reducer::State final : BucketSums::Source {
 public:
  State(Communicator& communicator, Arena& arena, Share mine, const ReducerOptions& options)
      : arena_(arena),
        ladder_(static_cast<size_t>(arena.layout().elements), mine.count),
        sums_(communicator, arena, options.road, options.stall_limit, *this),
        mine_(mine),
        buckets_(static_cast<int>(arena.layout().buckets.size())),
        alone_(communicator.size() == 1) {
    times_.buckets.assign(static_cast<size_t>(buckets_), 0.0);
    if (options.overlap && !alone_) thread_ = std::thread([this] { serve(); });
  }

  ~State() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void ready(int worker, BucketId bucket, Event event) {
    ensure(event.handle == nullptr);  // arenas in host memory: nothing to wait for
    ensure(worker == worker_ && bucket == bucket_);
    const auto begin = Clock::now();
    const Bucket& range = arena_.layout().buckets[static_cast<size_t>(bucket)];
    ladder_.add(worker, static_cast<size_t>(range.begin), arena_.grads(bucket));
    local_ += seconds_since(begin);
    if (worker + 1 == mine_.count) hand_over(bucket);
    if (++bucket_ == buckets_) bucket_ = 0, ++worker_;
  }

  void wait() {
    require(worker_ == mine_.count && bucket_ == 0, "the sum is waited for after {} of {} workers", worker_,
            mine_.count);
    const auto begin = Clock::now();
    if (mine_.count == 0) {  // nothing to give, but the sum comes to this rank as well
      std::ranges::fill(arena_.grads(), 0.0f);
      for (int bucket = 0; bucket < buckets_; ++bucket) hand_over(bucket);
    }
    if (thread_.joinable()) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return finished_ || failure_ != nullptr; });
      if (failure_ != nullptr) std::rethrow_exception(failure_);
    } else if (!alone_) {
      sums_.run();
    }
    const std::lock_guard lock(mutex_);
    times_.exposed = seconds_since(begin);
    times_.local = std::exchange(local_, 0.0);
    if (!alone_) times_.buckets = sums_.seconds(), times_.total = sums_.busy_seconds();
    handed_ = worker_ = 0;
    finished_ = false;
  }

  const Times& times() const { return times_; }

 private:
  void hand_over(int bucket) {
    {
      const std::lock_guard lock(mutex_);
      handed_ = bucket + 1;
    }
    changed_.notify_all();
  }

  void serve() {
    try {
      for (wait_for(0); !stop_; wait_for(0)) {
        sums_.run();
        const std::lock_guard lock(mutex_);
        finished_ = true;
        changed_.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      changed_.notify_all();
    }
  }

  // Source, for the thread that sums.
  bool is_ready(int bucket) override {
    const std::lock_guard lock(mutex_);
    return handed_ > bucket && !finished_;
  }
  void wait_for(int bucket) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stop_ || (handed_ > bucket && !finished_); });
  }
  bool stopped() const override { return stop_; }

  Arena& arena_;
  Ladder ladder_;
  BucketSums sums_;
  Share mine_;
  const int buckets_;
  const bool alone_;
  int worker_ = 0, bucket_ = 0;  // expected next; the training thread's alone
  double local_ = 0;
  Times times_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  int handed_ = 0;  // buckets of this step that may be summed
  bool finished_ = false;
  std::exception_ptr failure_;
  std::atomic<bool> stop_ = false;  // also read by polls, without the lock
  std::thread thread_;
};

Reducer::Reducer(Communicator& communicator, Arena& arena, int workers, Share mine,
                 const ReducerOptions& options) {
  if (options.road == Road::tree) require_tree(workers, communicator.size());
  const Layout& layout = arena.layout();
  agree(communicator, options.road, workers, mine,
        fmt::format("{} elements in {} buckets", layout.elements, layout.buckets.size()));
  state_ = std::make_unique<State>(communicator, arena, mine, options);
}

Reducer::~Reducer() = default;

ReadyFn Reducer::leaf(int worker) {
  return
      [state = state_.get(), worker](BucketId bucket, Event event) { state->ready(worker, bucket, event); };
}

void Reducer::wait() { state_->wait(); }

const Reducer::Times& Reducer::times() const { return state_->times(); }

size_t reducer_bytes(const Layout& layout, Road road, int ranks, int local) {
  const size_t sums = ladder_sums(local) * static_cast<size_t>(layout.elements);
  return (sums + BucketSums::scratch_for(layout, road, ranks)) * sizeof(float);
}

std::string claim(Road road, int ranks, int workers) {
  // One rank adds its workers in the tree's order on either road; on several the library's order is its own.
  if (road == Road::library && ranks > 1) return "repeatable";
  require_tree(workers, ranks);
  return "bitwise for any 2^k ranks of this fingerprint";
}

}  // namespace convoy
