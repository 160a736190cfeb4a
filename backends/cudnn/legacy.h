// Library operations through cuDNN's older interface (cudnnConvolution*, cudnnBatchNormalization*Ex), for GPUs below compute
// capability 8.0, which have no engines for the graphs of batch norm: P100, V100, T4. It does less in one operation than the
// planner writes: backends/fused/separate.h rewrites a Recipe for it. cuDNN keeps a ReLU's mask in its own form; it lies where the
// plan's mask does, and nothing but the backward pass reads it. cuDNN 8.9 to 9.
#pragma once

#include <memory>
#include <span>

#include "backends/cudnn/library_plan.h"

namespace convoy::cudnn {

// As build() of graphs.h, with a live handle. An operation that cuDNN refuses is an error with its name.
std::unique_ptr<LibraryPlan> build_legacy(const Operation& operation, std::span<const Tensor> tensors,
                                          const Demands& demands, void* handle, const Timer& timer = {},
                                          int tried = 5);

}  // namespace convoy::cudnn
