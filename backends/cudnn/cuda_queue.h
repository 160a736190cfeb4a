// Queues as non-blocking streams, marks as events, recorded graphs. Inside a capture a mark becomes an event node that is
// visible outside (cudaEventRecordExternal), so that the host can wait for it while the graph runs. Calls may come from
// any thread: each makes the queue's GPU the thread's own. Each queue has the cuDNN handle that its operations run on.
#pragma once

#include <cuda_runtime_api.h>

#include "backends/fused/device.h"

namespace convoy::cudnn {

class CudaMark final : public fused::Mark {
 public:
  explicit CudaMark(int gpu);
  ~CudaMark() override;
  CudaMark(const CudaMark&) = delete;
  CudaMark& operator=(const CudaMark&) = delete;
  void wait() override;
  bool reached() override;
  cudaEvent_t event() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

class CudaQueue final : public fused::Queue {
 public:
  explicit CudaQueue(int gpu);
  ~CudaQueue() override;
  CudaQueue(const CudaQueue&) = delete;
  CudaQueue& operator=(const CudaQueue&) = delete;
  void copy(void* to, const void* from, size_t bytes) override;
  void clear(void* to, size_t bytes) override;
  void record(fused::Mark& mark) override;
  void wait(fused::Mark& mark) override;
  void begin_capture() override;
  std::unique_ptr<fused::Captured> end_capture() override;
  void launch(fused::Captured& graph) override;
  void finish() override;

  int gpu() const { return gpu_; }
  cudaStream_t stream() const { return stream_; }
  void* library();  // cudnnHandle_t on this stream; made when first asked for, at the latest before a capture

 private:
  int gpu_;
  cudaStream_t stream_ = nullptr;
  void* library_ = nullptr;
  bool capturing_ = false;
};

}  // namespace convoy::cudnn
