// A job that loses ranks goes on with those that are left (`train --elastic`): launched again on fewer ranks, from the last
// checkpoint, and so with the same bits, as long as it gets further. How a launch is made and how far the run has come are the
// caller's. Nothing is asynchronous.
#pragma once

#include <cstdint>
#include <functional>

#include "base/log.h"

namespace convoy {

struct ElasticOptions {
  int workers = 1;    // W of the experiment
  int ranks = 1;      // of the first launch
  int restarts = 10;  // at most
};

// Blocks until the job on so many ranks is over; its exit code, as a shell has it (128 and more: by a signal).
using LaunchFn = std::function<int(int ranks)>;
using StepsFn = std::function<int64_t()>;  // done in the newest checkpoint, 0 without one
using AskedFn = std::function<bool()>;     // to stop: then nothing is launched again
using PauseFn = std::function<void()>;     // while what is left of a launch lets go of the run's folder

// The largest power of two below `ranks` that divides the workers; 1 of 1.
int ranks_left(int workers, int ranks);

// The last launch's exit code. Throws where restarting does not help: the sentence says why.
int run_elastic(const ElasticOptions& options, const LaunchFn& launch, const StepsFn& saved,
                const AskedFn& stopped, const PauseFn& pause, const Log& log);

}  // namespace convoy
