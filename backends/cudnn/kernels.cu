#include "backends/cudnn/kernels.h"

#include "backends/cudnn/launch.cuh"
#include "backends/fused/bodies.h"

namespace convoy::cudnn {

void launch_operation(const fused::Operation& operation, const fused::Bound& bound, std::byte* workspace,
                      cudaStream_t stream) {
  fused::with_body(operation, bound, workspace,
                   [stream](const auto& body, int64_t count) { launch_elements(body, count, stream); });
}

}  // namespace convoy::cudnn
