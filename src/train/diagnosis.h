// Where a training went wrong: one sentence for the end of a diverged run. Reads the arena as the step left it.
#pragma once

#include <span>
#include <string>

#include "comm/wire.h"
#include "port/arena.h"
#include "port/batch.h"
#include "port/communicator.h"

namespace convoy {

// Of a step whose loss, gradients or statistics are not finite; before the update, so that the weights are those that
// gave the loss.
std::string diagnose_step(int64_t step, const Totals& totals, const Graph& graph, Arena& arena);
struct NarrowSums {
  Wire wire;
  int workers = 1;  // that are summed
};
// Of a step whose sums overflowed a 16-bit wire: they hold infinities, which the update would carry into the weights.
// Collective: `mine` is what this rank lost, by bucket.
std::string diagnose_overflow(int64_t step, std::span<const RangeErrors> mine, const NarrowSums& sums,
                              const Graph& graph, const Layout& layout, Communicator& comm);
// Of an evaluation after `step`, `held_out.nonfinite` > 0.
std::string diagnose_evaluation(int64_t step, const Totals& held_out, const Graph& graph, Arena& arena);

}  // namespace convoy
