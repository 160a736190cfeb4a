// Where a training went wrong: one sentence for the end of a diverged run. Reads the arena as the step left it.
#pragma once

#include <string>

#include "port/arena.h"
#include "port/batch.h"

namespace convoy {

// Of a step whose loss, gradients or statistics are not finite; before the update, so that the weights are those that
// gave the loss.
std::string diagnose_step(int64_t step, const Totals& totals, const Graph& graph, Arena& arena);
// Of an evaluation after `step`, `held_out.nonfinite` > 0.
std::string diagnose_evaluation(int64_t step, const Totals& held_out, const Graph& graph, Arena& arena);

}  // namespace convoy
