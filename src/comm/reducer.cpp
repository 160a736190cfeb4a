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
#include "comm/mirror.h"
#include "comm/shares.h"
#include "port/events.h"

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
        mirror_(arena, options, communicator.size(), mine.count),
        ladder_(static_cast<size_t>(arena.layout().elements), mine.count),
        sums_(communicator, arena, mirror_, options, *this),
        wire_(options.wire),
        clock_(options.events),
        mine_(mine),
        buckets_(static_cast<int>(arena.layout().buckets.size())),
        alone_(communicator.size() == 1),
        device_sums_(options.device_sums) {
    times_.buckets.assign(static_cast<size_t>(buckets_), 0.0);
    adding_.resize(static_cast<size_t>(buckets_));
    range_errors_ = adding_;
    pending_.resize(adding_.size());
    ensure(clock_ == nullptr || !options.overlap);
    ensure(!device_sums_ || options.road == Road::library);
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
    ensure(event.handle == nullptr || clock_ != nullptr);
    ensure(worker == worker_ && bucket == bucket_);
    const bool last = worker + 1 == mine_.count;
    if (event.handle != nullptr && !last)
      clock_->await(event), event = {};  // the plan goes on to overwrite it
    pending_[static_cast<size_t>(bucket)] = event;
    if (event.handle == nullptr) add(worker, bucket);
    if (last) hand_over(bucket);
    if (++bucket_ == buckets_) bucket_ = 0, ++worker_;
  }

  void wait() {
    require(worker_ == mine_.count && bucket_ == 0, "the sum is waited for after {} of {} workers", worker_,
            mine_.count);
    const auto begin = Clock::now();
    if (mine_.count == 0) {  // nothing to give, but the sum comes to this rank as well
      std::ranges::fill(mirror_.grads(), 0.0f);
      for (int bucket = 0; bucket < buckets_; ++bucket) return_own(bucket), hand_over(bucket);
    }
    if (thread_.joinable()) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return finished_ || failure_ != nullptr; });
      if (failure_ != nullptr) std::rethrow_exception(failure_);
    } else if (!alone_) {
      sums_.run();
    } else {
      for (int bucket = 0; bucket < buckets_; ++bucket) wait_for(bucket);
    }
    const std::lock_guard lock(mutex_);
    times_.exposed = seconds_since(begin);
    times_.local = std::exchange(local_, 0.0);
    if (!alone_) times_.buckets = sums_.seconds(), times_.total = sums_.busy_seconds();
    for (size_t b = 0; b < adding_.size(); ++b) {
      range_errors_[b] = std::exchange(adding_[b], {});
      range_errors_[b].overflows += sums_.overflows()[b];
    }
    handed_ = worker_ = 0;
    finished_ = false;
  }

  const Times& times() const { return times_; }
  const std::vector<RangeErrors>& range_errors() const { return range_errors_; }

 private:
  void add(int worker, int bucket) {
    mirror_.fetch(bucket);
    const auto begin = Clock::now();
    const auto offset = static_cast<size_t>(arena_.layout().buckets[static_cast<size_t>(bucket)].begin);
    const std::span<float> values = mirror_.grads(bucket);
    const size_t rounded = rounded_elements(wire_, arena_.layout(), bucket);
    adding_[static_cast<size_t>(bucket)] += ladder_.add(worker, offset, values.first(rounded), wire_);
    ladder_.add(worker, offset + rounded, values.subspan(rounded));
    const bool last = worker + 1 == mine_.count;
    if (alone_ && last) descale(wire_, values.first(rounded));
    local_ += seconds_since(begin);
    if (last) return_own(bucket);
  }

  // To the arena, where this rank's own sum is the whole one, or devices go on with it.
  void return_own(int bucket) {
    if (!alone_ && !device_sums_) return;
    mirror_.put(bucket);
    mirror_.finish();
  }

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
    {
      const std::lock_guard lock(mutex_);
      if (handed_ <= bucket || finished_) return false;
    }
    const Event event = pending_[static_cast<size_t>(bucket)];
    if (event.handle == nullptr) return true;
    if (!clock_->happened(event)) return false;
    complete(bucket);
    return true;
  }
  void wait_for(int bucket) override {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || (handed_ > bucket && !finished_); });
    }
    if (stop_ || pending_[static_cast<size_t>(bucket)].handle == nullptr) return;
    clock_->await(pending_[static_cast<size_t>(bucket)]);
    complete(bucket);
  }
  void complete(int bucket) {  // the last worker's, whose event has happened
    pending_[static_cast<size_t>(bucket)] = {};
    add(mine_.count - 1, bucket);
  }
  bool stopped() const override { return stop_; }

  Arena& arena_;
  Mirror mirror_;
  Ladder ladder_;
  BucketSums sums_;
  Wire wire_;
  Events* clock_;
  Share mine_;
  const int buckets_;
  const bool alone_, device_sums_;
  int worker_ = 0, bucket_ = 0;  // expected next; the training thread's alone
  double local_ = 0;
  std::vector<RangeErrors> adding_, range_errors_;  // by bucket: of this step's own workers; of the last step
  std::vector<Event> pending_;  // by bucket, of the last worker; written before the bucket is handed over
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
  require(
      options.road == Road::tree || !options.wire.rounds(), Exit::usage,
      "gradients cannot travel as {} on the MPI library's road, as MPI has no sum of 16-bit numbers: choose "
      "--road tree, or allreduce.wire = \"f32\"",
      options.wire.name());
  const Layout& layout = arena.layout();
  agree(communicator, options.road, workers, mine,
        fmt::format("{} elements in {} buckets as {}", layout.elements, layout.buckets.size(),
                    options.wire.name()));
  state_ = std::make_unique<State>(communicator, arena, mine, options);
}

Reducer::~Reducer() = default;

ReadyFn Reducer::leaf(int worker) {
  return
      [state = state_.get(), worker](BucketId bucket, Event event) { state->ready(worker, bucket, event); };
}

void Reducer::wait() { state_->wait(); }

const Reducer::Times& Reducer::times() const { return state_->times(); }

const std::vector<RangeErrors>& Reducer::range_errors() const { return state_->range_errors(); }

size_t reducer_bytes(const Layout& layout, const ReducerOptions& options, int ranks, int local) {
  const size_t sums = ladder_sums(local) * static_cast<size_t>(layout.elements);
  const BucketSums::Scratch scratch = BucketSums::scratch_for(layout, options, ranks);
  return (sums + scratch.exact) * sizeof(float) + scratch.packed * sizeof(uint16_t) +
         Mirror::bytes_for(layout, options, ranks, local);
}

std::string claim(Road road, int ranks, int workers) {
  // One rank adds its workers in the tree's order on either road; on several the library's order is its own.
  if (road == Road::library && ranks > 1) return "repeatable";
  require_tree(workers, ranks);
  return "bitwise for any 2^k ranks of this fingerprint";
}

}  // namespace convoy
