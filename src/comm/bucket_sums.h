// The sums over ranks of one step's buckets, in ascending order, run by whichever thread the Reducer chooses: one bucket
// after another on the tree, several in flight on the MPI library's road. Watches for stalls: when nothing moves for
// `stall_limit`, an error names the bucket, the step of the tree and the rank and host that did not answer.
// Owns the tree's scratch (half the largest bucket; for a 16-bit wire a packed bucket and a half); works in place in the
// mirror of arena.grads() and puts each sum back, or, where devices sum among themselves, in arena.grads().
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/mirror.h"
#include "comm/reducer.h"
#include "comm/tree.h"

namespace convoy {

class BucketSums {
 public:
  class Source {  // says which buckets are complete on this rank
   public:
    virtual ~Source() = default;
    virtual bool is_ready(int bucket) = 0;
    virtual void wait_for(int bucket) = 0;  // returns when it is ready, or all is to be given up
    virtual bool stopped() const = 0;
  };

  // The tree's, in elements of f32 and of 16 bits; none on the library's road.
  struct Scratch {
    size_t exact = 0, packed = 0;
  };
  static Scratch scratch_for(const Layout& layout, const ReducerOptions& options, int ranks);

  // Collective: gathers the ranks' hosts.
  BucketSums(Communicator& communicator, Arena& arena, Mirror& mirror, const ReducerOptions& options,
             Source& source);

  void run();  // returns when the arena holds the sum over all ranks; throws on a stall, or when told to stop

  const std::vector<double>& seconds() const { return seconds_; }  // of the last run, by bucket
  double busy_seconds() const { return busy_; }                    // with at least one bucket under way
  // Of the wire's format, by bucket, in the last run's additions on this rank.
  const std::vector<int64_t>& overflows() const { return overflows_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Flight {  // a sum of the library under way
    int bucket;
    std::unique_ptr<Communicator::Pending> sum;
    Clock::time_point begin;
  };
  void run_tree();
  void run_library();
  int64_t tree_sum_of(int bucket);
  void finish(Communicator::Pending& message, const TreeStep& step);
  // Asked between two polls: throws when told to stop; true when the last progress is too long ago.
  bool stalled_since(Clock::time_point last_progress) const;
  double stall_seconds() const;
  std::string name(int bucket) const;
  void completed(int bucket, Clock::time_point begin);

  Communicator& communicator_;
  Arena& arena_;
  Mirror& mirror_;
  Source& source_;
  Road road_;
  bool device_sums_;
  Wire wire_;
  std::chrono::milliseconds stall_limit_;
  SpanSink* spans_;
  std::function<void(size_t bytes)> worked_;
  std::vector<std::string> hosts_;
  Buffer scratch_, packed_;  // of f32, and of 16 bits an element
  size_t scratch_elements_ = 0, packed_elements_ = 0;
  std::vector<double> seconds_;
  std::vector<int64_t> overflows_;
  std::vector<Flight> flights_;
  double busy_ = 0;
};

}  // namespace convoy
