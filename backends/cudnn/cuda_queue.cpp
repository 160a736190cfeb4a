#include "backends/cudnn/cuda_queue.h"

#include <cudnn.h>

#include "backends/cudnn/cuda_check.h"
#include "base/error.h"

namespace convoy::cudnn {
namespace {

class CudaGraph final : public fused::Captured {
 public:
  explicit CudaGraph(cudaGraph_t recorded) {
    const cudaError_t made = cudaGraphInstantiateWithFlags(&runnable_, recorded, 0);
    cudaGraphDestroy(recorded);
    cuda_check(made, "make a graph of a step's work");
  }
  ~CudaGraph() override { cudaGraphExecDestroy(runnable_); }
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  cudaGraphExec_t runnable() const { return runnable_; }

 private:
  cudaGraphExec_t runnable_ = nullptr;
};

}  // namespace

CudaMark::CudaMark(int gpu) {
  cuda_check(cudaSetDevice(gpu), "be chosen");
  // Who waits sleeps: cores are few where GPUs are many, and the loader needs them.
  cuda_check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming | cudaEventBlockingSync),
             "make an event");
}

CudaMark::~CudaMark() { cudaEventDestroy(event_); }

void CudaMark::wait() { cuda_check(cudaEventSynchronize(event_), "finish its work up to a mark"); }

bool CudaMark::reached() {
  const cudaError_t state = cudaEventQuery(event_);
  if (state == cudaErrorNotReady) return false;
  cuda_check(state, "finish its work up to a mark");
  return true;
}

CudaQueue::CudaQueue(int gpu) : gpu_(gpu) {
  cuda_check(cudaSetDevice(gpu_), "be chosen");
  cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "make a stream");
}

CudaQueue::~CudaQueue() {
  if (library_ != nullptr) cudnnDestroy(static_cast<cudnnHandle_t>(library_));
  cudaStreamDestroy(stream_);
}

void* CudaQueue::library() {
  if (library_ != nullptr) return library_;
  ensure(!capturing_);
  cuda_check(cudaSetDevice(gpu_), "be chosen");
  cudnnHandle_t handle = nullptr;
  cudnnStatus_t status = cudnnCreate(&handle);
  if (status == CUDNN_STATUS_SUCCESS) status = cudnnSetStream(handle, stream_);
  require(status == CUDNN_STATUS_SUCCESS,
          "cuDNN {} does not start on the GPU: {} (CUDNN_LOGINFO_DBG=1 says more)", cudnnGetVersion(),
          cudnnGetErrorString(status));
  return library_ = handle;
}

void CudaQueue::copy(void* to, const void* from, size_t bytes) {
  cuda_check(cudaSetDevice(gpu_), "be chosen");
  cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_), "copy memory");
}

void CudaQueue::clear(void* to, size_t bytes) {
  cuda_check(cudaSetDevice(gpu_), "be chosen");
  cuda_check(cudaMemsetAsync(to, 0, bytes, stream_), "clear memory");
}

void CudaQueue::record(fused::Mark& mark) {
  cuda_check(cudaSetDevice(gpu_), "be chosen");
  cuda_check(cudaEventRecordWithFlags(static_cast<CudaMark&>(mark).event(), stream_,
                                      capturing_ ? cudaEventRecordExternal : cudaEventRecordDefault),
             "record an event");
}

void CudaQueue::wait(fused::Mark& mark) {
  cuda_check(cudaSetDevice(gpu_), "be chosen");
  cuda_check(cudaStreamWaitEvent(stream_, static_cast<CudaMark&>(mark).event(),
                                 capturing_ ? cudaEventWaitExternal : cudaEventWaitDefault),
             "wait for an event");
}

void CudaQueue::begin_capture() {
  library();
  // Of this thread alone: what others do meanwhile (allocate, wait) is none of the graph's business.
  cuda_check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "record a graph");
  capturing_ = true;
}

std::unique_ptr<fused::Captured> CudaQueue::end_capture() {
  capturing_ = false;
  cudaGraph_t recorded = nullptr;
  cuda_check(cudaStreamEndCapture(stream_, &recorded), "record a graph of a step's work");
  return std::make_unique<CudaGraph>(recorded);
}

void CudaQueue::launch(fused::Captured& graph) {
  cuda_check(cudaSetDevice(gpu_), "be chosen");
  cuda_check(cudaGraphLaunch(static_cast<CudaGraph&>(graph).runnable(), stream_), "start a graph");
}

void CudaQueue::finish() { cuda_check(cudaStreamSynchronize(stream_), "finish its work"); }

}  // namespace convoy::cudnn
