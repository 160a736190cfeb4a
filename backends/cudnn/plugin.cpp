// libconvoy_cudnn.so's one door: the fused backend on a GPU of CUDA.
#include <cuda_runtime_api.h>
#include <cudnn_version.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "backends/cudnn/build_commit.h"
#include "backends/cudnn/cuda_check.h"
#include "backends/cudnn/cuda_device.h"
#include "backends/cudnn/nccl_sums.h"
#include "backends/cudnn/plugin_abi.h"
#include "backends/fused/fused.h"

namespace convoy::cudnn {
namespace {

// The fused backend on a GPU, and sums between such GPUs.
class CudnnBackend final : public Backend {
 public:
  CudnnBackend(int gpu, int threads, Precision precision, fused::Fusion fusion, DeviceInput input)
      : gpu_(gpu),
        fused_(make_fused(fusion == fused::Fusion::norms ? "cudnn" : "cudnn-mainloop", make_cuda_device(gpu),
                          {.precision = precision, .threads = threads, .fusion = fusion, .input = input})) {}
  DeviceInfo device() const override { return fused_->device(); }
  Buffer allocate(size_t bytes) override { return fused_->allocate(bytes); }
  using Backend::compile;
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                const CompileOptions& options) override {
    return fused_->compile(program, arena, options);
  }
  Vector& vector() override { return fused_->vector(); }
  DeviceSums sums_over(Communicator& ranks) override {
    std::array<char, 64> bus_id{};
    cuda_check(cudaDeviceGetPCIBusId(bus_id.data(), static_cast<int>(bus_id.size()), gpu_),
               "tell its address");
    return make_nccl_sums(ranks, bus_id.data(), make_sum_stream(gpu_));
  }
  std::unique_ptr<HostCopies> host_copies() override { return fused_->host_copies(); }

 private:
  int gpu_;
  std::unique_ptr<Backend> fused_;
};

std::unique_ptr<Backend> make(int gpu, int threads, Precision precision, fused::Fusion fusion,
                              DeviceInput input) {
  return std::make_unique<CudnnBackend>(gpu, threads, precision, fusion, input);
}

}  // namespace
}  // namespace convoy::cudnn

extern "C" [[gnu::visibility("default")]] const convoy::cudnn::PluginFacts* convoy_cudnn_plugin() {
  static const std::string commit = convoy::cudnn::build_commit();
  static const convoy::cudnn::PluginFacts facts{.commit = commit.c_str(),
                                                .built = {.toolkit = CUDART_VERSION,
                                                          .cudnn = CUDNN_VERSION,
                                                          .architectures = {CONVOY_CUDA_ARCHITECTURES},
                                                          .ptx = CONVOY_CUDA_PTX},
                                                .make = convoy::cudnn::make};
  return &facts;
}
