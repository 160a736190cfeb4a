// What both makers of library plans need of an operation before they speak to cuDNN: its tensors as the library is to see
// them, where a group of images begins, and the operation in words, which is also a plan's key on disk.
#pragma once

#include <span>
#include <string>

#include "backends/fused/operation.h"
#include "port/backend.h"

namespace convoy::cudnn {

// A convolution whose kernel is the whole map (a Linear, AlexNet's fc6) is a product of matrices: seen as 1x1 over h w c
// channels, which lie in memory as they did.
struct ConvShape {
  Conv conv;
  fused::Tensor x, w, y;
};
ConvShape conv_shape(const Conv& conv, const fused::Tensor& x, const fused::Tensor& w,
                     const fused::Tensor& y);

// The images [first, first + count) of `whole`; a tensor that holds `count` images is that slice already.
struct Slice {
  fused::Tensor tensor;
  size_t offset = 0;  // bytes into the whole's memory
};
Slice slice_of(const fused::Tensor& whole, int first, int count);

// "conv forward x 256x56x56x64 f16, w 64x1x1x64 f16, y ..., stride 1x1 ...": all that a plan depends on but the device.
std::string describe(const fused::Operation& operation, std::span<const fused::Tensor> tensors);
// The first tensor's name, for messages: "layer1.0.conv1".
std::string subject_of(const fused::Operation& operation, std::span<const fused::Tensor> tensors);

}  // namespace convoy::cudnn
