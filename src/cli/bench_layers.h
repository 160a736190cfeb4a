// The time of a training step by layer, for `convoy bench JOB layers`: three views of the same calls.
//   layer/NAME/PASS   a node of the network; layers that are fused into another are left out
//   kind/KIND/PASS    all nodes of a kind: what the network asks for, with its least flops and bytes
//   work/WORK         all calls of a kind, wherever they stand: what really runs. A convolution's step may reorder, and may
//                     make a batch norm's output again: work/convolution is the library's convolutions alone (those of maps of a few
//                     pixels are work/inner_product).
#pragma once

#include <vector>

#include "cli/bench.h"
#include "cli/trial.h"

namespace convoy::cli {

// `trial` must have been compiled with CompileOptions::times_steps. Empty: its backend does not tell times.
std::vector<Benchmark> time_layers(Trial& trial, int rounds, int threads);

}  // namespace convoy::cli
