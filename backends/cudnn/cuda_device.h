// The fused plan's Device on one GPU of CUDA. Device memory is cudaMalloc's; pinned memory page-locked and mapped, at one
// address for host and GPU; shared memory managed by the driver, with the GPU as its preferred place, so that kernels run
// at full speed on it and the host may read it between steps. All of it is zeroed.
// Library operations are cuDNN's (graphs.h), by the engines of engine_choice.h. Own operations are kernels.h's.
#pragma once

#include <memory>

#include "backends/fused/device.h"

namespace convoy::cudnn {

std::unique_ptr<fused::Device> make_cuda_device(int gpu);

}  // namespace convoy::cudnn
