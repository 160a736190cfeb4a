// Local response normalization across channels, for the cases that the library leaves to its slow reference kernel:
//   s_c = k + alpha/size * sum over the window of c of x^2,   y_c = x_c s_c^-beta        (Krizhevsky et al. 2012, 3.3)
//   dx_c = dy_c s_c^-beta - 2 alpha beta/size * x_c * sum over the windows that hold c of dy_j x_j s_j^(-beta-1)
// Columns of channels are brought into a small plain tile, so that every layout is served by the same loops.
// `scratch` holds lrn_scratch(channels) floats for each thread. Results do not depend on threads.
#pragma once

#include <cstdint>

#include "net/op.h"

namespace convoy::onednn {

// Where element (image, channel, position) lies: image*image_stride + channel/block*block_stride +
// channel%block*lane_stride + position*position_stride.
struct ChannelLayout {
  int64_t images, channels, positions;
  int64_t block, image_stride, block_stride, lane_stride, position_stride;
};

int64_t lrn_scratch(int64_t channels);
void lrn_forward(const ChannelLayout& layout, const Lrn& op, const float* src, float* dst, float* scratch);
void lrn_backward(const ChannelLayout& layout, const Lrn& op, const float* src, const float* dst_gradient,
                  float* src_gradient, float* scratch);

}  // namespace convoy::onednn
