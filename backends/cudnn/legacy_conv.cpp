#include "backends/cudnn/legacy_conv.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "backends/cudnn/descriptors.h"
#include "backends/cudnn/engine_choice.h"
#include "backends/cudnn/operands.h"

namespace convoy::cudnn {
namespace {

constexpr float one = 1, zero = 0;

// What the three have in common: shapes, and the call that lists algorithms and the one that runs one of them.
struct Shape3 {
  TensorDescriptor x, y;
  FilterDescriptor w;
  WindowDescriptor window;
};

Shape3 shape_of(const ConvShape& s, Precision precision) {
  return {tensor_of(s.x), tensor_of(s.y), filter_of(s.w), window_of(s.conv, precision)};
}

struct Forward {
  using Perf = cudnnConvolutionFwdAlgoPerf_t;
  static constexpr const char* name = "forward";
  static constexpr int count = CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
  static cudnnStatus_t list(cudnnHandle_t h, const Shape3& s, int* found, Perf* perfs) {
    return cudnnGetConvolutionForwardAlgorithm_v7(h, s.x, s.w, s.window, s.y, count, found, perfs);
  }
  static bool exact(cudnnConvolutionFwdAlgo_t algo) { return algo <= CUDNN_CONVOLUTION_FWD_ALGO_DIRECT; }
  static cudnnStatus_t run(cudnnHandle_t h, const Shape3& s, const Perf& perf, std::array<void*, 3> at,
                           void* work) {
    return cudnnConvolutionForward(h, &one, s.x, at[0], s.w, at[1], s.window, perf.algo, work, perf.memory,
                                   &zero, s.y, at[2]);
  }
};

template <bool adds>
struct BackwardData {
  using Perf = cudnnConvolutionBwdDataAlgoPerf_t;
  static constexpr const char* name = "backward data";
  static constexpr int count = CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;
  static cudnnStatus_t list(cudnnHandle_t h, const Shape3& s, int* found, Perf* perfs) {
    return cudnnGetConvolutionBackwardDataAlgorithm_v7(h, s.w, s.y, s.window, s.x, count, found, perfs);
  }
  static bool exact(cudnnConvolutionBwdDataAlgo_t algo) { return algo <= CUDNN_CONVOLUTION_BWD_DATA_ALGO_1; }
  static cudnnStatus_t run(cudnnHandle_t h, const Shape3& s, const Perf& perf, std::array<void*, 3> at,
                           void* work) {
    return cudnnConvolutionBackwardData(h, &one, s.w, at[1], s.y, at[2], s.window, perf.algo, work,
                                        perf.memory, adds ? &one : &zero, s.x, at[0]);
  }
};

struct BackwardWeights {
  using Perf = cudnnConvolutionBwdFilterAlgoPerf_t;
  static constexpr const char* name = "backward weights";
  static constexpr int count = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;
  static cudnnStatus_t list(cudnnHandle_t h, const Shape3& s, int* found, Perf* perfs) {
    return cudnnGetConvolutionBackwardFilterAlgorithm_v7(h, s.x, s.y, s.window, s.w, count, found, perfs);
  }
  static bool exact(cudnnConvolutionBwdFilterAlgo_t algo) {
    return algo == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0 || algo == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 ||
           algo == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3;
  }
  static cudnnStatus_t run(cudnnHandle_t h, const Shape3& s, const Perf& perf, std::array<void*, 3> at,
                           void* work) {
    return cudnnConvolutionBackwardFilter(h, &one, s.x, at[0], s.y, at[2], s.window, perf.algo, work,
                                          perf.memory, &zero, s.w, at[1]);
  }
};

template <class Pass>
class ConvPlan : public LibraryPlan {
 public:
  ConvPlan(std::shared_ptr<const Shape3> shape, typename Pass::Perf perf, std::array<Id, 3> operands)
      : shape_(std::move(shape)), perf_(perf), operands_(operands) {}
  std::string engine() const override {
    return fmt::format("legacy {} algorithm {}", Pass::name, static_cast<int>(perf_.algo));
  }
  size_t workspace_bytes() const override { return perf_.memory; }
  std::vector<float> constants() const override { return {}; }
  std::string serialize() const override { return {}; }
  void execute(void* handle, const DeviceMemory& memory) override {
    std::array<void*, 3> at{};
    for (size_t i = 0; i < at.size(); ++i) at[i] = memory.address[static_cast<size_t>(operands_[i])];
    const auto library = static_cast<cudnnHandle_t>(handle);
    check(cudnnSetConvolutionMathType(shape_->window, perf_.mathType), "arithmetic");
    check(Pass::run(library, *shape_, perf_, at, memory.workspace), "convolution");
  }

 private:
  std::shared_ptr<const Shape3> shape_;
  typename Pass::Perf perf_;
  std::array<Id, 3> operands_;  // x, w, y
};

bool allowed(cudnnMathType_t math, Precision precision) {
  return precision != Precision::f32 || math == CUDNN_FMA_MATH;
}

template <class Pass>
std::unique_ptr<LibraryPlan> choose(const ConvShape& shape, std::array<Id, 3> operands,
                                    const Demands& demands, void* handle, const Timer& timer, int tried) {
  const auto described = std::make_shared<const Shape3>(shape_of(shape, demands.precision));
  std::array<typename Pass::Perf, Pass::count> perfs{};
  int found = 0;
  const cudnnStatus_t status =
      Pass::list(static_cast<cudnnHandle_t>(handle), *described, &found, perfs.data());
  Choice choice(timer, tried);
  for (int i = 0; status == CUDNN_STATUS_SUCCESS && i < found; ++i) {
    const auto& perf = perfs[static_cast<size_t>(i)];
    if (perf.status != CUDNN_STATUS_SUCCESS || !Pass::exact(perf.algo) ||
        perf.memory > demands.workspace_limit || !allowed(perf.mathType, demands.precision) ||
        (demands.repeatable && perf.determinism != CUDNN_DETERMINISTIC))
      continue;
    if (choice.offer(std::make_unique<ConvPlan<Pass>>(described, perf, operands))) break;
  }
  std::unique_ptr<LibraryPlan> best = choice.take();
  require(best != nullptr, "cuDNN has no {} algorithm on this GPU in {}{} for {}: {}", Pass::name,
          name_of(demands.precision), demands.repeatable ? ", repeatable," : "", shape.w.name,
          cudnnGetErrorString(status == CUDNN_STATUS_SUCCESS ? CUDNN_STATUS_NOT_SUPPORTED : status));
  return best;
}

const Tensor& at(std::span<const Tensor> tensors, Id id) { return tensors[static_cast<size_t>(id)]; }

}  // namespace

std::unique_ptr<LibraryPlan> legacy_conv(const fused::ConvForward& o, std::span<const Tensor> tensors,
                                         const Demands& demands, void* handle, const Timer& timer,
                                         int tried) {
  ensure(o.scale < 0 && o.shift < 0 && o.addend < 0 && !o.relu);  // separate.h
  return choose<Forward>(conv_shape(o.conv, at(tensors, o.x), at(tensors, o.w), at(tensors, o.y)),
                         {o.x, o.w, o.y}, demands, handle, timer, tried);
}

std::unique_ptr<LibraryPlan> legacy_conv(const fused::ConvBackwardData& o, std::span<const Tensor> tensors,
                                         const Demands& demands, void* handle, const Timer& timer,
                                         int tried) {
  const ConvShape shape = conv_shape(o.conv, at(tensors, o.dx), at(tensors, o.w), at(tensors, o.dy));
  const std::array<Id, 3> operands{o.dx, o.w, o.dy};
  return o.adds ? choose<BackwardData<true>>(shape, operands, demands, handle, timer, tried)
                : choose<BackwardData<false>>(shape, operands, demands, handle, timer, tried);
}

std::unique_ptr<LibraryPlan> legacy_conv(const fused::ConvBackwardWeights& o, std::span<const Tensor> tensors,
                                         const Demands& demands, void* handle, const Timer& timer,
                                         int tried) {
  return choose<BackwardWeights>(conv_shape(o.conv, at(tensors, o.x), at(tensors, o.dw), at(tensors, o.dy)),
                                 {o.x, o.dw, o.dy}, demands, handle, timer, tried);
}

}  // namespace convoy::cudnn
