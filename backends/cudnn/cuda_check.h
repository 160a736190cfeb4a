// Errors of the CUDA runtime as one sentence. `what` completes "the GPU cannot ...". An error in a kernel shows up at whatever
// call comes next; all but a few leave the process without a GPU for good, so nothing here tries to go on.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

namespace convoy::cudnn {

[[noreturn]] void fail_cuda(cudaError_t code, const std::string& what);

inline void cuda_check(cudaError_t code, const char* what) {
  if (code != cudaSuccess) fail_cuda(code, what);
}

}  // namespace convoy::cudnn
