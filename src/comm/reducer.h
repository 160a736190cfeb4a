// Sums the gradients of all W workers over all ranks, bucket by bucket, while the backward pass still runs.
// A rank holds the contiguous workers [first, first + count) and runs them one after another: all but the
// last are added to partial sums on the ladder (comm/ladder.h, memory of log2(count) arenas); the last one's
// buckets are completed in place and handed, in ascending order, to ONE progress thread, which runs the
// fixed-order tree (comm/tree.h) or the MPI library's sum. In place: in arena.grads(), or in its mirror where
// that is a device's memory (comm/mirror.h). From the last leaf's first bucket until wait() returns, the
// progress thread is the only one that may call the communicator, and a handed-over bucket is touched by
// nobody else. The bits on the tree depend neither on the number of ranks (any 2^k that divides W) nor on
// `overlap`, also when gradients are rounded to 16 bits on the way (comm/wire.h).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/wire.h"
#include "port/arena.h"
#include "port/batch.h"
#include "port/communicator.h"

namespace convoy {

class Events;
class HostCopies;
class SpanSink;

enum class Road { tree, library };

struct Share {
  int first = 0, count = 0;  // contiguous workers of this rank; count 0 only on the library's road
};

// Contiguous shares by rank that differ by at most one worker; the only shares that the tree takes when ranks
// divide W.
Share even_share(int workers, int ranks, int rank);

struct ReducerOptions {
  using Road = convoy::Road;
  Road road = Road::tree;
  bool overlap = true;  // false: no thread, everything is summed inside wait(); the same bits
  std::chrono::milliseconds stall_limit =
      std::chrono::seconds(600);  // without any progress, then an error; 0: never
  Wire wire{};                    // other than f32 only on the tree
  SpanSink* spans = nullptr;      // told of every bucket's sum, if given; outlives the reducer
  Allocate allocate = host_buffer;  // the tree's scratch
  // For events that have not happened when they are handed over; outlives the reducer, and goes with overlap = false:
  // the sums are then done inside wait(), each bucket's as soon as its event has happened. So runs a rank that has no
  // second thread: a simulated one.
  Events* events = nullptr;
  // For an arena in a device's memory, whose gradients this rank then rounds, adds and sends in their mirror; outlives the
  // reducer.
  HostCopies* copies = nullptr;
  bool device_sums = false;  // on the library's road, start_sum() is the devices' own: it is given the arena's memory
  std::function<void(size_t bytes)> worked{};  // told of the bytes that adding, packing and unpacking read and write
};

class Reducer {
 public:
  // Collective: all ranks compare road, workers, shares and layout, and refuse what does not fit together,
  // naming the rank. The communicator and the arena must outlive the reducer.
  Reducer(Communicator& communicator, Arena& arena, int workers, Share mine,
          const ReducerOptions& options = {});
  ~Reducer();  // gives up what is still under way: does not wait for other ranks

  // For Plan::train of this rank's worker first + `worker`, called in the order 0 ... count-1 within a step.
  // When it returns, the plan may overwrite the bucket if another worker follows, and must leave it alone
  // until wait() if not.
  ReadyFn leaf(int worker);
  // Afterwards arena.grads() holds, on every rank, the sum over ALL W workers. Rethrows what the progress
  // thread met.
  void wait();

  // Seconds of the last completed step.
  struct Times {
    double exposed = 0;           // inside wait(): what the overlap did not hide
    double total = 0;             // sums of buckets under way, on whatever thread
    double local = 0;             // adding this rank's own workers on the ladder
    std::vector<double> buckets;  // from a bucket's start to its end
  };
  const Times& times() const;
  // What the wire's format could not hold in the last completed step, by bucket, on this rank alone.
  const std::vector<RangeErrors>& range_errors() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

// Memory of a Reducer beside the arena, on a rank that runs `local` workers: partial sums, the tree's scratch, and the
// mirror of an arena in a device's memory.
size_t reducer_bytes(const Layout& layout, const ReducerOptions& options, int ranks, int local);

// What may be said of the result: "bitwise for any 2^k ranks of this fingerprint" or "repeatable".
std::string claim(Road road, int ranks, int workers);

}  // namespace convoy
