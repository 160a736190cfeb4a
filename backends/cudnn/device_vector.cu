#include "backends/common/host_vector.h"
#include "backends/common/many_tensors.h"
#include "backends/cudnn/cuda_memory.h"
#include "backends/cudnn/device_vector.h"
#include "backends/cudnn/launch.cuh"
#include "base/error.h"

namespace convoy::cudnn {
namespace {

struct Launch {
  cudaStream_t stream;
  template <class Body>
  void operator()(const Body& body, int64_t count) const {
    launch_elements(body, count, stream);
  }
};

class DeviceVector final : public Vector {
 public:
  explicit DeviceVector(int gpu) : gpu_(gpu), host_(1) {
    cuda_check(cudaSetDevice(gpu_), "be chosen");
    cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "make a stream");
    // Steps are short: who waits for one does not go to sleep.
    cuda_check(cudaEventCreateWithFlags(&done_, cudaEventDisableTiming), "make an event");
  }
  ~DeviceVector() override {
    cudaEventDestroy(done_);
    cudaStreamDestroy(stream_);
  }
  DeviceVector(const DeviceVector&) = delete;
  DeviceVector& operator=(const DeviceVector&) = delete;

  void squared_norms(std::span<const NormTaskOf<float>> tasks, std::span<double> norms) override {
    ensure(tasks.size() == norms.size());
    int64_t chunks = 0;
    bool ours = true;
    for (const auto& task : tasks) {
      ensure(task.w.empty() || task.w.size() == task.g.size());
      chunks += norm_chunks(task.g.size());
      ours = ours && addressable({task.g, task.w});
    }
    if (!ours) return host_.squared_norms(tasks, norms);
    if (chunks > room_) {  // to the largest call's, then stays
      lanes_ = make_memory(static_cast<size_t>(chunks * norm_lanes) * sizeof(double), fused::Place::device);
      sums_ = make_memory(static_cast<size_t>(chunks) * sizeof(double), fused::Place::pinned);
      room_ = chunks;
    }
    auto *lanes = reinterpret_cast<double*>(lanes_.get()), *sums = reinterpret_cast<double*>(sums_.get());
    int64_t before = 0;
    launch_many<NormBody>(
        tasks,
        [&](const NormTaskOf<float>& task) {
          const auto made = body_of(task, lanes + before);
          before += made.second;
          return made;
        },
        Launch{stream_});
    launch_elements(ChunkNormBody{lanes, sums}, chunks, stream_);
    finish();
    for (size_t t = 0; t < tasks.size(); ++t) {
      norms[t] = sum_of_chunks(sums, norm_chunks(tasks[t].g.size()));
      sums += norm_chunks(tasks[t].g.size());
    }
  }
  void momentum_steps(std::span<const MomentumTaskOf<float>> tasks) override {
    bool ours = true;
    for (const auto& t : tasks) {
      ensure(t.w.size() == t.v.size() && t.w.size() == t.g.size());
      ours = ours && addressable({t.w, t.v, t.g});
    }
    ours ? run<MomentumBody>(tasks) : host_.momentum_steps(tasks);
  }
  void rmsprop_steps(std::span<const RmspropTaskOf<float>> tasks) override {
    bool ours = true;
    for (const auto& t : tasks) {
      ensure(t.w.size() == t.v.size() && t.w.size() == t.m.size() && t.w.size() == t.g.size());
      ours = ours && addressable({t.w, t.v, t.m, t.g});
    }
    ours ? run<RmspropBody>(tasks) : host_.rmsprop_steps(tasks);
  }
  void running_averages(std::span<const AverageTaskOf<float>> tasks) override {
    bool ours = true;
    for (const auto& t : tasks) {
      ensure(t.r.size() == t.s.size());
      ours = ours && addressable({t.r, t.s});
    }
    ours ? run<AverageBody>(tasks) : host_.running_averages(tasks);
  }

 private:
  // Not the memory of a plain host_buffer(): then the host computes, to the same bits.
  bool addressable(std::initializer_list<std::span<const float>> all) {
    cuda_check(cudaSetDevice(gpu_), "be chosen");
    for (const std::span<const float> memory : all) {
      if (memory.empty()) continue;
      cudaPointerAttributes what{};
      if (cudaPointerGetAttributes(&what, memory.data()) != cudaSuccess ||
          what.type == cudaMemoryTypeUnregistered) {
        cudaGetLastError();
        return false;
      }
    }
    return true;
  }
  template <class Body, class Tasks>
  void run(const Tasks& tasks) {
    launch_many<Body>(
        tasks, [](const auto& task) { return body_of(task); }, Launch{stream_});
    finish();
  }
  void finish() {
    cuda_check(cudaEventRecord(done_, stream_), "record an event");
    cuda_check(cudaEventSynchronize(done_), "finish an optimizer's step");
  }

  int gpu_;
  HostVector host_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t done_ = nullptr;
  Memory lanes_, sums_;
  int64_t room_ = 0;
};

}  // namespace

std::unique_ptr<Vector> make_device_vector(int gpu) { return std::make_unique<DeviceVector>(gpu); }

}  // namespace convoy::cudnn
