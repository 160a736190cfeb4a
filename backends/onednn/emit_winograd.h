// Convolutions by Winograd's algorithm (winograd.h) in the place of the library's direct ones, where the experiment allows it.
#pragma once

#include <optional>

#include "backends/onednn/builder.h"
#include "backends/onednn/winograd.h"

namespace convoy::onednn {

struct WinogradConv {
  const winograd::Units* units = nullptr;
  winograd::Shape shape;
  Desc src, dst;  // of the maps
};

// Of node `id`, for which the library has `direct` in these layouts. None where it is not allowed, not possible, or where borders and
// few tiles would eat up the gain.
std::optional<WinogradConv> winograd_conv(const Builder& to, int id, const Conv& op,
                                          const shim::ConvForward& direct);

// What follows within the convolution: views that are not set are absent.
struct WinogradTail {
  View bias, residual;
  bool relu = false;
  ChannelFactor factor;  // of the weights, in inference
};
void emit_winograd(Builder& to, int id, const WinogradConv& conv, const View& src, const WinogradTail& tail,
                   const View& dst);
EmitBackward winograd_backward(Builder& to, int id, const WinogradConv& conv);

}  // namespace convoy::onednn
