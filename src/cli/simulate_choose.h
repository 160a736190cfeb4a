// `convoy simulate --choose N`: the schedule of the allreduce that is quickest for a job on a cluster. Every allreduce and
// bucket size, with gradients as f32 and as fp16, is weighed by its closed form; the N best of each wire and the best tree
// are simulated, under the same stragglers as the schedule that was asked for. Chosen is the quickest with the job's own
// wire, or the tree where it is within 1 % of that: another wire is another experiment, and the tree's bits are the same on
// any 2^k ranks.
#pragma once

#include "cli/simulate_run.h"

namespace convoy::cli {

int choose_schedule(const SimulateFlags& flags, const simulate::Cluster& cluster);

}  // namespace convoy::cli
