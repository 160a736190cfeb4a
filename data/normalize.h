// 8-bit RGB to the network's f32 planes: out[c] = (value / divisor - mean[c]) / std[c], mirrored or not. In vector code for
// whatever the CPU has, and the same bits everywhere: both divisions are IEEE's.
#pragma once

#include <span>

#include "data/augment.h"

namespace convoy {

void normalize(const Image& image, const Transform& transform, bool mirror, std::span<float> chw);

}  // namespace convoy
