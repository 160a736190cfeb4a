// The loaders of a training on this rank: its runs' minibatches, and its share of the held-out images.
#pragma once

#include <memory>

#include "cli/datasets.h"
#include "port/communicator.h"
#include "port/loader.h"
#include "train/placement.h"

namespace convoy {
class SpanSink;
}

namespace convoy::cli {

struct Loaders {
  std::unique_ptr<Loader> images, held_out;  // held_out: null without such a set
};

// `threads` decode for each; `input`: what the rank's device does; `spans` may be null and outlives them.
Loaders loaders_of_rank(const Sets& sets, const Experiment& experiment, const Placement& placement,
                        const Communicator& comm, int threads, DeviceInput input, SpanSink* spans);

}  // namespace convoy::cli
