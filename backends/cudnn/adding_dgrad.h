// The backward convolution for data that adds to what its output holds: dx = conv^T(dy, w) + dx, in f32, rounded once.
// cuDNN has it as beta = 1 of the operation's descriptor; cudnn-frontend's graphs write beta = 0, so this one operation is
// described by the frontend's older builders. Included by mapper.h alone.
#pragma once

#include <cudnn_frontend.h>

#include <memory>
#include <vector>

#include "backends/cudnn/operands.h"

namespace convoy::cudnn {

namespace fe = cudnn_frontend;
using fused::Type;

inline fe::DataType_t type_of(Type type) {
  switch (type) {
    case Type::f32:
      return fe::DataType_t::FLOAT;
    case Type::f16:
      return fe::DataType_t::HALF;
    case Type::bf16:
      return fe::DataType_t::BFLOAT16;
    case Type::bits:
      return fe::DataType_t::BOOLEAN;  // of the norms' engines: one bit an element
    case Type::u8:
      return fe::DataType_t::UINT8;
    case Type::i32:
      return fe::DataType_t::INT32;
  }
  return fe::DataType_t::NOT_SET;
}

struct AddingDgrad {
  ConvShape shape;
  int64_t dy, w, dx;  // ids, as a plan is given addresses for

  fe::error_t build(cudnnHandle_t handle, std::shared_ptr<fe::OperationGraph_v8>& graph) const try {
    const Conv& c = shape.conv;
    const int64_t padding[] = {c.padding.height, c.padding.width},
                  stride[] = {c.stride.height, c.stride.width}, dilation[] = {1, 1};
    auto window = fe::ConvDescBuilder()
                      .setComputeType(fe::DataType_t::FLOAT)
                      .setMathMode(CUDNN_CROSS_CORRELATION)
                      .setSpatialDimCount(2)
                      .setSpatialStride(2, stride)
                      .setPrePadding(2, padding)
                      .setPostPadding(2, padding)
                      .setDilation(2, dilation)
                      .build();
    std::vector<fe::Operation> operations;
    operations.push_back(
        fe::OperationBuilder(fe::DescriptorType_t::OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
            .setdyDesc(tensor(shape.y, dy))
            .setwDesc(tensor(shape.w, w))
            .setdxDesc(tensor(shape.x, dx))
            .setcDesc(window)
            .setAlpha(1.0f)
            .setBeta(1.0f)
            .build());
    graph = std::make_shared<fe::OperationGraph_v8>(
        fe::OperationGraphBuilder().setHandle(handle).setOperationGraph(operations).build());
    return {fe::error_code_t::OK, ""};
  } catch (const fe::cudnnException& error) {
    return {fe::error_code_t::CUDNN_BACKEND_API_FAILED, error.what()};
  }

 private:
  static fe::Tensor tensor(const fused::Tensor& t, int64_t id) {
    const int64_t h = t.h, wide = t.w, c = t.c, dim[] = {t.n, c, h, wide},
                  stride[] = {h * wide * c, 1, wide * c, c};
    return fe::TensorBuilder()
        .setDim(4, dim)
        .setStride(4, stride)
        .setId(id)
        .setAlignment(16)
        .setDataType(type_of(t.type))
        .build();
  }
};

}  // namespace convoy::cudnn
