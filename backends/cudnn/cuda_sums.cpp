#include <cuda_runtime_api.h>

#include "backends/cudnn/cuda_check.h"
#include "backends/cudnn/cuda_queue.h"
#include "backends/cudnn/nccl_sums.h"

namespace convoy::cudnn {
namespace {

class Enqueued final : public Communicator::Pending {
 public:
  explicit Enqueued(CudaQueue& queue) : mark_(queue.gpu()) { queue.record(mark_); }
  bool test() override { return mark_.reached(); }
  void wait() override { mark_.wait(); }

 private:
  CudaMark mark_;
};

class CudaSumStream final : public SumStream {
 public:
  explicit CudaSumStream(int gpu) : queue_(gpu) {}
  void* stream() override {
    cuda_check(cudaSetDevice(queue_.gpu()), "be chosen");
    return queue_.stream();
  }
  std::unique_ptr<Communicator::Pending> enqueued() override { return std::make_unique<Enqueued>(queue_); }

 private:
  CudaQueue queue_;
};

}  // namespace

std::unique_ptr<SumStream> make_sum_stream(int gpu) { return std::make_unique<CudaSumStream>(gpu); }

}  // namespace convoy::cudnn
