// launch_elements(body, count, stream): a kernel that calls body(i) once for every 0 <= i < count. The body travels as the
// kernel's argument, so it owns nothing and is at most 4 KiB.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "backends/cudnn/cuda_check.h"

namespace convoy::cudnn {

constexpr int threads_a_block = 256;

template <class Body>
__global__ void __launch_bounds__(threads_a_block) run_elements(const Body body, int64_t count) {
  const int64_t stride = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) body(i);
}

template <class Body>
void launch_elements(const Body& body, int64_t count, cudaStream_t stream) {
  static_assert(sizeof(Body) <= 4000);
  if (count == 0) return;
  const int64_t blocks = (count + threads_a_block - 1) / threads_a_block;
  const auto grid = static_cast<unsigned>(std::min<int64_t>(blocks, std::numeric_limits<int>::max()));
  run_elements<<<grid, threads_a_block, 0, stream>>>(body, count);
  cuda_check(cudaGetLastError(), "start a kernel");
}

}  // namespace convoy::cudnn
