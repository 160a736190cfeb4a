#include <vector>

#include "backends/common/host_vector.h"
#include "backends/common/norms.h"
#include "backends/common/steps.h"
#include "backends/cudnn/cuda_memory.h"
#include "backends/cudnn/device_vector.h"
#include "backends/cudnn/launch.cuh"
#include "base/error.h"

namespace convoy::cudnn {
namespace {

struct MomentumBody {
  float *w, *v;
  const float* g;
  MomentumStep step;
  CONVOY_PORTABLE void operator()(int64_t i) const { momentum_element(w[i], v[i], g[i], step); }
};
struct NesterovBody {
  float *w, *v;
  const float* g;
  MomentumStep step;
  CONVOY_PORTABLE void operator()(int64_t i) const { nesterov_element(w[i], v[i], g[i], step); }
};
struct RmspropBody {
  float *w, *v, *m;
  const float* g;
  RmspropStep step;
  CONVOY_PORTABLE void operator()(int64_t i) const { rmsprop_element(w[i], v[i], m[i], g[i], step); }
};
struct AverageBody {
  float* r;
  const float* s;
  float keep, weight;
  CONVOY_PORTABLE void operator()(int64_t i) const { average_element(r[i], s[i], keep, weight); }
};

class DeviceVector final : public Vector {
 public:
  explicit DeviceVector(int gpu) : gpu_(gpu), host_(1) {
    cuda_check(cudaSetDevice(gpu_), "be chosen");
    cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "make a stream");
    // Steps are short and many: who waits for one does not go to sleep.
    cuda_check(cudaEventCreateWithFlags(&done_, cudaEventDisableTiming), "make an event");
  }
  ~DeviceVector() override {
    cudaEventDestroy(done_);
    cudaStreamDestroy(stream_);
  }
  DeviceVector(const DeviceVector&) = delete;
  DeviceVector& operator=(const DeviceVector&) = delete;

  double squared_norm(std::span<const float> x) override {
    if (!addressable({x.data()})) return host_.squared_norm(x);
    return sum_of_squares(x.size(), PlainElement<float>{x.data()});
  }
  double decayed_squared_norm(std::span<const float> g, std::span<const float> w, float scale,
                              float decay) override {
    ensure(g.size() == w.size());
    if (!addressable({g.data(), w.data()})) return host_.decayed_squared_norm(g, w, scale, decay);
    return sum_of_squares(g.size(), DecayedElement<float>{g.data(), w.data(), static_cast<double>(scale),
                                                          static_cast<double>(decay)});
  }
  void momentum_step(std::span<float> w, std::span<float> v, std::span<const float> g,
                     const MomentumStep& step) override {
    ensure(w.size() == v.size() && w.size() == g.size());
    if (!addressable({w.data(), v.data(), g.data()})) return host_.momentum_step(w, v, g, step);
    if (step.lookahead > 0)
      run(NesterovBody{w.data(), v.data(), g.data(), step}, w.size());
    else
      run(MomentumBody{w.data(), v.data(), g.data(), step}, w.size());
  }
  void rmsprop_step(std::span<float> w, std::span<float> v, std::span<float> m, std::span<const float> g,
                    const RmspropStep& step) override {
    ensure(w.size() == v.size() && w.size() == m.size() && w.size() == g.size());
    if (!addressable({w.data(), v.data(), m.data(), g.data()})) return host_.rmsprop_step(w, v, m, g, step);
    run(RmspropBody{w.data(), v.data(), m.data(), g.data(), step}, w.size());
  }
  void running_average(std::span<float> r, std::span<const float> s, float keep, float scale) override {
    ensure(r.size() == s.size());
    if (!addressable({r.data(), s.data()})) return host_.running_average(r, s, keep, scale);
    run(AverageBody{r.data(), s.data(), keep, (1.0f - keep) * scale}, r.size());
  }

 private:
  // Not the memory of a plain host_buffer(): then the host computes, to the same bits.
  bool addressable(std::initializer_list<const float*> all) {
    cuda_check(cudaSetDevice(gpu_), "be chosen");
    for (const float* memory : all) {
      cudaPointerAttributes what{};
      if (cudaPointerGetAttributes(&what, memory) != cudaSuccess || what.type == cudaMemoryTypeUnregistered) {
        cudaGetLastError();
        return false;
      }
    }
    return true;
  }
  template <class Body>
  void run(const Body& body, size_t size) {
    launch_elements(body, static_cast<int64_t>(size), stream_);
    finish();
  }
  template <class Element>
  double sum_of_squares(size_t size, const Element& element) {
    const int64_t chunks = norm_chunks(size);
    if (chunks > room_) {  // to the largest tensor's, then stays
      lanes_ = make_memory(static_cast<size_t>(chunks * norm_lanes) * sizeof(double), fused::Place::device);
      sums_ = make_memory(static_cast<size_t>(chunks) * sizeof(double), fused::Place::pinned);
      room_ = chunks;
    }
    auto *lanes = reinterpret_cast<double*>(lanes_.get()), *sums = reinterpret_cast<double*>(sums_.get());
    launch_elements(LaneNormBody<Element>{element, lanes, static_cast<int64_t>(size)}, chunks * norm_lanes,
                    stream_);
    launch_elements(ChunkNormBody{lanes, sums}, chunks, stream_);
    finish();
    return sum_of_chunks(sums, chunks);
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
