// What `convoy calibrate` measures of the machine at hand. All of it collective: every rank measures at the same time, as it
// will be in training. Seconds, bytes per second.
#pragma once

#include <memory>
#include <vector>

#include "cli/datasets.h"
#include "port/backend.h"
#include "port/communicator.h"
#include "train/experiment.h"

namespace convoy::cli {

// All ranks' numbers, by rank.
std::vector<double> gather(Communicator& comm, double mine);

// What an optimizer with so many states reads and writes in a step: weights and states both ways, gradients once.
double update_bytes(const Layout& layout, int states);

struct StepTimes {
  double seconds = 0, spread = 0;  // median of all ranks; sigma of the logarithm
  std::vector<double> ready{};     // by bucket, as a share of the step
  double memory_bandwidth = 0;     // of the update: bytes read and written
};
// Steps of random images, after two that are not counted.
StepTimes time_steps(Communicator& comm, const Experiment& experiment, Backend& backend, int steps);

struct Link {
  double latency = 0, bandwidth = 0;
  bool measured = false;
};
// Runs of a plan a second, by rank, all ranks at work at the same time: what unequal shares follow.
std::vector<double> speeds_of_ranks(Communicator& comm, const Experiment& experiment, Backend& backend);

// Ping-pong as MPI benchmarks do it: half a round trip of an empty-handed and of a long message. b < 0: nothing.
Link time_link(Communicator& comm, int a, int b);

double time_allreduce(Communicator& comm, size_t bytes);  // the tree over all ranks; the second of two counts
double sum_bandwidth(Communicator& comm);  // of one thread, as the allreduce adds: read two, write one

// Images a second that a rank's loader prepares while all ranks do, nothing else being done: the slowest rank's.
double time_loader(Communicator& comm, const Experiment& experiment, std::shared_ptr<const Dataset> set,
                   int threads, int steps);

}  // namespace convoy::cli
