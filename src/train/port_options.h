// An experiment's words about its arithmetic, as the port's and the communication's types.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "comm/wire.h"
#include "port/backend.h"
#include "train/experiment.h"

namespace convoy {

// Bytes of the gradient buckets of an experiment, for lower().
size_t bucket_bytes(const Experiment& experiment);
// How its gradients travel.
Wire wire_of(const Experiment& experiment);
// What its activations are held in, for the backend.
Precision precision_of(const Experiment& experiment);
// Whether a job of ranks on these backends takes denormal numbers for zero, for place(). GPUs keep them, and where one rank
// does all do: the update is the same arithmetic on every rank.
bool flushes_denormals(const Experiment& experiment, const std::vector<std::string>& backends);
// What its plans may do, with `options`' other choices.
CompileOptions compile_options_of(const Experiment& experiment, CompileOptions options = {});
// "", or a sentence where a plan does nothing of what they may: results name what was asked for.
std::string unused_permission(const Experiment& experiment, const PlanInfo& plan);

}  // namespace convoy
