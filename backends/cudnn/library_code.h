// A library operation as Code: cuDNN's plan (graphs.h) with the device memory it needs beside the tensors, its engine chosen
// as engine_choice.h says. Where that is by a clock, candidates are run on the tensors as they are, before the first step.
#pragma once

#include <memory>

#include "backends/cudnn/cuda_queue.h"
#include "backends/cudnn/engine_choice.h"
#include "backends/cudnn/graphs.h"

namespace convoy::cudnn {

std::unique_ptr<fused::Code> make_library_code(const Operation& operation, const fused::Bound& bound,
                                               const Demands& demands, int tried, CudaQueue& queue,
                                               PlanCache& cache, ChosenEngines& chosen);

}  // namespace convoy::cudnn
