// From the [network] table of an experiment to a Graph: the one place where model names are turned into
// generators.
#pragma once

#include "net/graph.h"
#include "train/experiment.h"

namespace convoy {

// `classes` of the training set stand in for network.classes = 0.
Graph make_network(const NetworkOptions& options, int classes);

// What the keys bn_* say; `affine` is a fact of the model.
BatchNorm norm_of(const NetworkOptions& options, bool affine);

}  // namespace convoy
