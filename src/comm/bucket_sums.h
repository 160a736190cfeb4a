// The sums over ranks of one step's buckets, in ascending order, run by whichever thread the Reducer chooses: one bucket
// after another on the tree, several in flight on the MPI library's road. Watches for stalls: when nothing moves for
// `stall_limit`, an error names the bucket, the step of the tree and the rank and host that did not answer.
// Owns the tree's scratch (half the largest bucket); works in place in arena.grads().
#pragma once

#include <chrono>
#include <string>
#include <vector>

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

  // Elements of the tree's scratch; none on the library's road.
  static size_t scratch_for(const Layout& layout, Road road, int ranks);

  // Collective: gathers the ranks' hosts.
  BucketSums(Communicator& communicator, Arena& arena, Road road, std::chrono::milliseconds stall_limit,
             Source& source);

  void
  run();  // returns when every bucket holds the sum over all ranks; throws on a stall, or when told to stop

  const std::vector<double>& seconds() const { return seconds_; }  // of the last run, by bucket
  double busy_seconds() const { return busy_; }                    // with at least one bucket under way

 private:
  using Clock = std::chrono::steady_clock;
  void run_tree();
  void run_library();
  void finish(Communicator::Pending& message, const TreeStep& step);
  // Asked between two polls: throws when told to stop; true when the last progress is too long ago.
  bool stalled_since(Clock::time_point last_progress) const;
  double stall_seconds() const;
  std::string name(int bucket) const;

  Communicator& communicator_;
  Arena& arena_;
  Source& source_;
  Road road_;
  std::chrono::milliseconds stall_limit_;
  std::vector<std::string> hosts_;
  Buffer scratch_;
  size_t scratch_elements_ = 0;
  std::vector<double> seconds_;
  double busy_ = 0;
};

}  // namespace convoy
