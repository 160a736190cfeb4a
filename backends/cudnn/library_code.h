// A library operation as Code: cuDNN's plan (graphs.h) with the device memory it needs beside the tensors. Where bits need
// not repeat, the fastest of the first engines by a clock on the GPU, run on the tensors as they are. A plan that was made
// before comes out of the cache.
#pragma once

#include <memory>

#include "backends/cudnn/cuda_queue.h"
#include "backends/cudnn/graphs.h"
#include "backends/cudnn/plan_cache.h"

namespace convoy::cudnn {

std::unique_ptr<fused::Code> make_library_code(const Operation& operation, const fused::Bound& bound,
                                               const Demands& demands, CudaQueue& queue, PlanCache& cache);

}  // namespace convoy::cudnn
