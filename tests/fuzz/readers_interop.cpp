// safetensors: whatever another program wrote, and as the weights of a network.
#include <stdexcept>

#include "base/error.h"
#include "interop/description.h"
#include "interop/safetensors.h"
#include "interop/weights.h"
#include "scratch.h"
#include "small_network.h"

namespace convoy::fuzz {
namespace {

void read_safetensors(Bytes bytes) {
  const std::filesystem::path path = written("a.safetensors", bytes);
  refuse_foreign(path);
  const Safetensors file(path);
  for (const TensorEntry& tensor : file.tensors()) {
    if (tensor.begin > tensor.end || tensor.end > bytes.size())
      throw std::logic_error("a tensor outside of the file");
    if (!tensor.dtype.starts_with("F") && tensor.dtype != "BF16") continue;
    std::vector<float> values(static_cast<size_t>(tensor.elements()));
    file.read(tensor, values);
  }
  file.digest();
  experiment_in(file.metadata(), "a.safetensors");
  classes_in(file.metadata(), "a.safetensors");
  steps_in(file.metadata());
  SmallNetwork small;
  classes_in(file, small.graph);
  import_weights(path, small.graph, small.arena);
}

}  // namespace

std::vector<Reader> interop_readers() { return {{"safetensors", read_safetensors}}; }

}  // namespace convoy::fuzz
