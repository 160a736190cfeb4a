// What an exported file says of itself, as texts under keys (safetensors' __metadata__, ONNX's metadata_props): the network
// and its input as a job file's two tables, from which convoy builds it again; the class table; and the preprocessing once
// more in plain words, for other readers. No paths, hosts or times.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "interop/safetensors.h"
#include "net/graph.h"
#include "train/class_names.h"
#include "train/experiment.h"

namespace convoy {

struct Described {
  const Experiment& experiment;
  const Graph& graph;
  const std::vector<ClassName>& classes;  // may be empty
  int64_t steps = 0;
  std::string hash{}, weights_xxh3{};  // of the experiment ("": not known), of the arena
};

TensorMetadata describe(const Described& what);

// The network and its input; nothing if the file does not say (another program's). Throws a usage Error on nonsense.
std::optional<Experiment> experiment_in(const TensorMetadata& metadata, const std::string& file);
std::vector<ClassName> classes_in(const TensorMetadata& metadata, const std::string& file);
int64_t steps_in(const TensorMetadata& metadata);  // 0 if it does not say

}  // namespace convoy
