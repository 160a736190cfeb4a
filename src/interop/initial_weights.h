// An experiment that starts from a file's weights (train.weights). The bits depend on what the arena holds before step 0,
// so its digest goes into the experiment (train.weights_xxh3) and by that into the hash, the checkpoints and the refusal
// of a resume with other weights. Not the file's own bytes: the same values in another file or type are the same
// experiment, and the digest is the one that the run they come from has ended with.
#pragma once

#include <string>
#include <vector>

#include "net/graph.h"
#include "port/communicator.h"
#include "train/checkpoints.h"
#include "train/experiment.h"

namespace convoy {

// "fc,layer4" -> {"fc", "layer4"}
std::vector<std::string> fresh_layers(const Experiment& experiment);

// Reads the file on rank 0 and completes `experiment` with the digest; if it has one already, they must be equal.
// `recorded`: a run that goes on has its digest, and needs the file only if it has saved nothing yet. Collective.
// Warnings are texts, since the run has no log at that time.
std::vector<std::string> complete_with_weights(Experiment& experiment, const Graph& graph, bool recorded,
                                               Communicator& comm);

// For Job::start: reads the file again and requires the digest. Empty if the experiment has no such file. `experiment` and
// `graph` must outlive it.
StartFn start_of(const Experiment& experiment, const Graph& graph);

}  // namespace convoy
