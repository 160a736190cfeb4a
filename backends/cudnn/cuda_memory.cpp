#include "backends/cudnn/cuda_memory.h"

#include <algorithm>
#include <cstring>

#include "backends/cudnn/cuda_check.h"
#include "base/error.h"
#include "base/text.h"

namespace convoy::cudnn {
namespace {

using fused::Place;

void prefer_the_gpu(void* memory, size_t bytes) {
  int gpu = 0, both_at_once = 0;
  cuda_check(cudaGetDevice(&gpu), "be asked for");
  cuda_check(cudaDeviceGetAttribute(&both_at_once, cudaDevAttrConcurrentManagedAccess, gpu), "be described");
  if (both_at_once == 0)
    return;  // before Pascal, and where the driver moves whole allocations: no advice is taken
#if CUDART_VERSION >= 13000
  const cudaMemLocation place{cudaMemLocationTypeDevice, gpu};
#else
  const int place = gpu;
#endif
  cuda_check(cudaMemAdvise(memory, bytes, cudaMemAdviseSetPreferredLocation, place),
             "keep memory for itself");
}

cudaError_t take(void** memory, size_t bytes, Place place) {
  switch (place) {
    case Place::device:
      return cudaMalloc(memory, bytes);
    case Place::pinned:
      return cudaHostAlloc(memory, bytes, cudaHostAllocPortable | cudaHostAllocMapped);
    case Place::shared:
      return cudaMallocManaged(memory, bytes, cudaMemAttachGlobal);
  }
  return cudaErrorInvalidValue;
}

}  // namespace

std::byte* allocate(size_t bytes, Place place) {
  bytes = std::max<size_t>(bytes, 1);
  void* memory = nullptr;
  const cudaError_t code = take(&memory, bytes, place);
  if (code == cudaErrorMemoryAllocation && place != Place::pinned) {
    cudaGetLastError();
    size_t free = 0, all = 0;
    cuda_check(cudaMemGetInfo(&free, &all), "tell its free memory");
    fail(
        "the GPU's memory does not suffice: {} more were asked for, {} of {} are free; fewer images at once need "
        "less",
        human_bytes(bytes), human_bytes(free), human_bytes(all));
  }
  if (code != cudaSuccess)
    fail_cuda(code, fmt::format("get {} of {} memory", human_bytes(bytes),
                                place == Place::pinned ? "page-locked host" : "GPU"));
  if (place == Place::shared) prefer_the_gpu(memory, bytes);
  if (place == Place::pinned) {
    std::memset(memory, 0, bytes);
  } else {
    cuda_check(cudaMemset(memory, 0, bytes), "clear memory");
    cuda_check(cudaStreamSynchronize(nullptr), "clear memory");  // other streams do not wait for this one
  }
  return static_cast<std::byte*>(memory);
}

void release(std::byte* memory, Place place) noexcept {
  if (place == Place::pinned)
    cudaFreeHost(memory);
  else
    cudaFree(memory);
}

}  // namespace convoy::cudnn
