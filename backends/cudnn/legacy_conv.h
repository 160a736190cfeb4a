// The convolutions of legacy.h, bare: what may follow one is an operation of its own (backends/fused/separate.h). In the order of
// cuDNN's own guesses, without Fourier's and Winograd's algorithms.
#pragma once

#include <memory>
#include <span>

#include "backends/cudnn/library_plan.h"

namespace convoy::cudnn {

std::unique_ptr<LibraryPlan> legacy_conv(const fused::ConvForward& o, std::span<const Tensor> tensors,
                                         const Demands& demands, void* handle, const Timer& timer, int tried);
std::unique_ptr<LibraryPlan> legacy_conv(const fused::ConvBackwardData& o, std::span<const Tensor> tensors,
                                         const Demands& demands, void* handle, const Timer& timer, int tried);
std::unique_ptr<LibraryPlan> legacy_conv(const fused::ConvBackwardWeights& o, std::span<const Tensor> tensors,
                                         const Demands& demands, void* handle, const Timer& timer, int tried);

}  // namespace convoy::cudnn
