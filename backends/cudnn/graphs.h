// Library operations through cuDNN's graph API: each becomes one graph (a convolution with what follows it; batch
// norm with the addition, the ReLU and its mask), for which cuDNN's heuristics list engines (mode A, then the
// fallback's), of which one is built. With a live handle, or for a device that is not here (Target): then plans are
// built but not run. Convolutions sum in f32, and neither Winograd's nor Fourier's transforms nor 16-bit partial sums
// are taken.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cudnn/library_plan.h"

namespace convoy::cudnn {

struct Engine {
  std::string name;
  size_t workspace_bytes = 0;
};

// The engines that say they can do it, best guess first, `most` of them at the most; where there is none, why.
struct Survey {
  std::vector<Engine> engines;
  std::string reason;
};
Survey survey(const Operation& operation, std::span<const Tensor> tensors, const Demands& demands,
              const Target& target, size_t most = 5);

// The Choice (engine_choice.h) among the engines that build. Where none does: an error that names the operation, the device
// and cuDNN's reason.
std::unique_ptr<LibraryPlan> build(const Operation& operation, std::span<const Tensor> tensors,
                                   const Demands& demands, const Target& target, const Timer& timer = {},
                                   int tried = 5);

// What serialize() gave, on the same kind of device with the same cuDNN and driver; nothing if cuDNN refuses it.
std::unique_ptr<LibraryPlan> restore(const Operation& operation, std::span<const Tensor> tensors,
                                     const std::string& serialized, void* handle);

std::string library_version();  // "cuDNN 9.19.0": the library's that is loaded, not the headers'

}  // namespace convoy::cudnn
