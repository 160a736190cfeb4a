// The batch norms of legacy.h: one kernel that keeps the map in registers (SPATIAL_PERSISTENT), with the addition and the
// ReLU in it where there is a mask.
#pragma once

#include <memory>
#include <span>

#include "backends/cudnn/library_plan.h"

namespace convoy::cudnn {

std::unique_ptr<LibraryPlan> legacy_norm(const fused::NormForward& o, std::span<const Tensor> tensors,
                                         void* handle);
std::unique_ptr<LibraryPlan> legacy_norm(const fused::NormBackward& o, std::span<const Tensor> tensors,
                                         void* handle);

}  // namespace convoy::cudnn
