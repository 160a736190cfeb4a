// Own operations on the GPU: the element bodies of backends/fused/bodies.h as kernels, in a grid that no result depends on:
// each element is some thread's alone, and sums are cut by their shapes. Compiled with -fmad=false, as the host's compiler
// contracts nothing into FMA either: the same bits on both where no exp, log or pow is involved.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "backends/fused/device.h"

namespace convoy::cudnn {

// Enqueues; errors are those of the launch alone. `workspace` has workspace_of(operation, bound) bytes.
void launch_operation(const fused::Operation& operation, const fused::Bound& bound, std::byte* workspace,
                      cudaStream_t stream);

}  // namespace convoy::cudnn
