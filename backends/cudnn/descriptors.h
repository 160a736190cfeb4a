// cuDNN's descriptors of the older interface as C++ values: made from the plan's tensors, destroyed with their owner.
// Included by the legacy_*.cpp alone.
#pragma once

#include <cudnn.h>

#include <memory>
#include <type_traits>

#include "backends/fused/tensor.h"
#include "base/error.h"
#include "net/op.h"
#include "port/backend.h"

namespace convoy::cudnn {

inline void check(cudnnStatus_t status, const char* call) {
  require(status == CUDNN_STATUS_SUCCESS, "cuDNN's {} failed: {}", call, cudnnGetErrorString(status));
}

template <auto create, auto destroy, class Handle>
class Descriptor {
 public:
  Descriptor() {
    Handle raw{};
    check(create(&raw), "descriptor");
    held_.reset(raw);
  }
  operator Handle() const { return held_.get(); }

 private:
  struct Destroy {
    void operator()(Handle raw) const { destroy(raw); }
  };
  std::unique_ptr<std::remove_pointer_t<Handle>, Destroy> held_;
};

using TensorDescriptor =
    Descriptor<cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor, cudnnTensorDescriptor_t>;
using FilterDescriptor =
    Descriptor<cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor, cudnnFilterDescriptor_t>;
using WindowDescriptor = Descriptor<cudnnCreateConvolutionDescriptor, cudnnDestroyConvolutionDescriptor,
                                    cudnnConvolutionDescriptor_t>;
using ActivationDescriptor = Descriptor<cudnnCreateActivationDescriptor, cudnnDestroyActivationDescriptor,
                                        cudnnActivationDescriptor_t>;

inline cudnnDataType_t type_of(const fused::Tensor& t) {
  switch (t.type) {
    case fused::Type::f16:
      return CUDNN_DATA_HALF;
    case fused::Type::bf16:
      return CUDNN_DATA_BFLOAT16;
    default:
      return CUDNN_DATA_FLOAT;
  }
}

inline TensorDescriptor tensor_of(const fused::Tensor& t) {
  TensorDescriptor made;
  check(cudnnSetTensor4dDescriptor(made, CUDNN_TENSOR_NHWC, type_of(t), t.n, t.c, t.h, t.w), "tensor");
  return made;
}

inline FilterDescriptor filter_of(const fused::Tensor& t) {
  FilterDescriptor made;
  check(cudnnSetFilter4dDescriptor(made, type_of(t), CUDNN_TENSOR_NHWC, t.n, t.c, t.h, t.w), "filter");
  return made;
}

inline WindowDescriptor window_of(const Conv& c, Precision precision) {
  WindowDescriptor made;
  check(cudnnSetConvolution2dDescriptor(made, c.padding.height, c.padding.width, c.stride.height,
                                        c.stride.width, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
        "convolution");
  check(cudnnSetConvolutionGroupCount(made, c.groups), "groups");
  const auto math = precision == Precision::f32    ? CUDNN_FMA_MATH
                    : precision == Precision::tf32 ? CUDNN_DEFAULT_MATH
                                                   : CUDNN_TENSOR_OP_MATH;
  check(cudnnSetConvolutionMathType(made, math), "arithmetic");
  return made;
}

}  // namespace convoy::cudnn
