#include "backends/cudnn/cuda_device.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <string>

#include "backends/cudnn/build_commit.h"
#include "backends/cudnn/cuda_check.h"
#include "backends/cudnn/cuda_memory.h"
#include "backends/cudnn/cuda_queue.h"
#include "backends/cudnn/device_vector.h"
#include "backends/cudnn/kernels.h"
#include "backends/cudnn/library_code.h"
#include "backends/cudnn/nvjpeg.h"
#include "backends/fused/bodies.h"
#include "base/error.h"

namespace convoy::cudnn {
namespace {

class KernelCode final : public fused::Code {
 public:
  KernelCode(const Operation& operation, const fused::Bound& bound) : operation_(operation), bound_(bound) {}
  std::string implementation() const override { return std::string("convoy:") + fused::name_of(operation_); }
  size_t workspace_bytes() const override { return fused::workspace_of(operation_, bound_); }
  void enqueue(fused::Queue& queue, std::byte* workspace) override {
    auto& here = static_cast<CudaQueue&>(queue);
    cuda_check(cudaSetDevice(here.gpu()), "be chosen");
    launch_operation(operation_, bound_, workspace, here.stream());
  }

 private:
  Operation operation_;
  fused::Bound bound_;
};

class GpuDecoder final : public fused::JpegDecoder {
 public:
  explicit GpuDecoder(int threads) : nvjpeg_(CUDART_VERSION / 1000, threads) {}
  std::string library() const override { return nvjpeg_.library(); }
  void enqueue(fused::Queue& queue, std::span<const fused::JpegFile> files) override {
    auto& here = static_cast<CudaQueue&>(queue);
    cuda_check(cudaSetDevice(here.gpu()), "be chosen");
    nvjpeg_.decode(files, here.stream());
  }

 private:
  Nvjpeg nvjpeg_;
};

class CudaDevice final : public fused::Device {
 public:
  explicit CudaDevice(int gpu)
      : gpu_(begin(gpu)),
        own_(std::make_unique<CudaQueue>(gpu)),
        vector_(make_device_vector(gpu)),
        tried_(engines_to_time()),
        cache_(plan_folder(), identity()) {}

  fused::DeviceFacts facts() const override {
    cudaDeviceProp properties{};
    cuda_check(cudaGetDeviceProperties(&properties, gpu_), "be described");
    fused::DeviceFacts facts;
    facts.library = library_version();
    if (const std::string engines = chosen_.digest(); !engines.empty())
      facts.library += ", engines " + engines;
    facts.isa = "sm_" + std::to_string(10 * properties.major + properties.minor);
    facts.hardware = properties.name;
    facts.separate = properties.major < 8;
    use();
    cuda_check(cudaMemGetInfo(&facts.free, &facts.memory), "tell its free memory");
    return facts;
  }

  std::byte* allocate(size_t bytes, fused::Place place) override {
    use();
    return cudnn::allocate(bytes, place);
  }
  void release(std::byte* memory, fused::Place place) override { cudnn::release(memory, place); }
  Buffer shared_buffer(size_t bytes) override {
    return {allocate(bytes, fused::Place::shared),
            [](std::byte* memory) { cudnn::release(memory, fused::Place::shared); }};
  }
  Vector& vector() override { return *vector_; }
  std::unique_ptr<fused::Queue> make_queue() override { return std::make_unique<CudaQueue>(gpu_); }
  std::unique_ptr<fused::Mark> make_mark() override { return std::make_unique<CudaMark>(gpu_); }

  std::unique_ptr<fused::JpegDecoder> make_decoder(int threads) override {
    use();
    return std::make_unique<GpuDecoder>(threads);
  }

  std::unique_ptr<fused::Code> prepare(const Operation& operation, const fused::Bound& bound,
                                       Precision precision, bool repeatable) override {
    if (!fused::is_library(operation)) return std::make_unique<KernelCode>(operation, bound);
    use();
    const Demands demands{.precision = precision, .repeatable = repeatable, .legacy = facts().separate};
    return make_library_code(operation, bound, demands, tried_, *own_, cache_, chosen_);
  }

 private:
  static int begin(int gpu) {  // whoever waits for this GPU sleeps
    cuda_check(cudaInitDevice(gpu, cudaDeviceScheduleBlockingSync, cudaInitDeviceFlagsAreValid), "be opened");
    cuda_check(cudaSetDevice(gpu), "be chosen");
    return gpu;
  }
  void use() const { cuda_check(cudaSetDevice(gpu_), "be chosen"); }

  // All that a plan and its being the fastest depend on; the commit, as the mapper's numbers of tensors are in it.
  std::string identity() const {
    const fused::DeviceFacts here = facts();
    int driver = 0;
    cuda_check(cudaDriverGetVersion(&driver), "tell its driver's version");
    return fmt::format("{}, {}, {}, {} of memory, driver {}, convoy {}", here.library, here.hardware,
                       here.isa, here.memory, driver, build_commit());
  }

  int gpu_;
  std::unique_ptr<CudaQueue> own_;  // candidates are timed on it
  std::unique_ptr<Vector> vector_;
  int tried_;  // engines of an operation that are timed
  ChosenEngines chosen_;
  PlanCache cache_;
};

}  // namespace

std::unique_ptr<fused::Device> make_cuda_device(int gpu) { return std::make_unique<CudaDevice>(gpu); }

}  // namespace convoy::cudnn
