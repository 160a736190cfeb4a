// A Recipe for devices whose library does less in one operation: what ends a convolution (scale, shift, addend, ReLU) becomes
// an operation of our own behind it, and the backward pass of a batch norm with a ReLU is given its output, shift and
// epsilon again. cuDNN's interface for GPUs below compute capability 8.0 is such a library (DeviceFacts::separate).
#pragma once

#include "backends/fused/recipe.h"

namespace convoy::fused {

Recipe separate(Recipe recipe);

}  // namespace convoy::fused
