// A network's weights in a safetensors file under the names that torchvision gives them: parameters, running_mean and
// running_var of every batch norm, and num_batches_tracked, which convoy does not need (steps done when written, not
// read). ResNets and torchvision's AlexNet map one to one; the other AlexNets keep their own layers' names. The arena
// belongs to the caller; nothing is asynchronous.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "interop/safetensors.h"
#include "port/arena.h"

namespace convoy {

void export_weights(const std::filesystem::path& path, const Graph& graph, Arena& arena, int64_t steps,
                    const TensorMetadata& metadata);

struct Imported {
  TensorMetadata metadata{};
  int64_t rounded = 0;               // F64 values that f32 does not hold exactly
  std::vector<std::string> fresh{};  // tensors that were left as they were
};

// Every tensor of the graph must be in the file, in its shape, and nothing else. `fresh` names layers or tensors
// ("fc", "fc.bias") that stay as the arena has them, whatever the file says: a new classifier for fine-tuning.
// The arena is only meaningful after success.
Imported import_weights(const std::filesystem::path& path, const Graph& graph, Arena& arena,
                        const std::vector<std::string>& fresh = {});

// The number of classes that a file's last linear layer has; 0 if it has no such tensor. `graph` may have another number.
int classes_in(const Safetensors& file, const Graph& graph);

// PyTorch's own files are pickles, which are programs: refused with the command that converts one. Also says what other
// well-known files are. Nothing happens for a file that may be safetensors.
void refuse_foreign(const std::filesystem::path& path);

}  // namespace convoy
