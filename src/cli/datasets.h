// From an experiment and the paths on the command line to opened datasets and their loaders: the place where src/train,
// which knows no data reader, and data, which knows no experiment, meet.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "port/communicator.h"
#include "train/class_names.h"
#include "train/experiment.h"

namespace convoy::cli {

constexpr int64_t imagenet_images = 1281167;  // of its training set: stands in where none is named

enum class Presence {
  required,
  optional
};  // optional: ImageNet's numbers stand in for a set that is not named

struct Sets {
  std::shared_ptr<const Dataset> training, evaluation;  // null where not named
  DatasetFacts train, held_out;
  bool assumed = false;
};

// Paths from flags win over the job's. Collective. Checks that the two sets fit together.
Sets open_sets(const Experiment& experiment, const std::string& train, const std::string& held_out,
               Communicator& comm, Presence presence);

Transform transform_of(const InputOptions& input);

std::vector<ClassName> names_of(const Dataset& dataset);

}  // namespace convoy::cli
