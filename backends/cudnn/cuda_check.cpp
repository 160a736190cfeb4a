#include "backends/cudnn/cuda_check.h"

#include "base/error.h"

namespace convoy::cudnn {
namespace {

const char* advice_for(cudaError_t code) {
  switch (code) {
    case cudaErrorDevicesUnavailable:
      return "; another process has it, or it is closed to computing: look at nvidia-smi, or choose another "
             "with CUDA_VISIBLE_DEVICES";
    case cudaErrorMemoryAllocation:
      return "; fewer images at once need less memory";
    case cudaErrorNoKernelImageForDevice:
      return "; build convoy with this GPU's compute capability in CONVOY_CUDA_ARCHITECTURES";
    case cudaErrorInsufficientDriver:
      return "; install a newer driver";
    case cudaErrorECCUncorrectable:
      return "; its memory is failing: have it looked at, and go on elsewhere from the last checkpoint";
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorLaunchFailure:
      return "; please report it with the command you ran (compute-sanitizer finds the kernel)";
    default:
      return "";
  }
}

}  // namespace

void fail_cuda(cudaError_t code, const std::string& what) {
  cudaGetLastError();  // so that the next call does not report it again
  fail("the GPU cannot {}: {} ({}){}", what, cudaGetErrorName(code), cudaGetErrorString(code),
       advice_for(code));
}

}  // namespace convoy::cudnn
