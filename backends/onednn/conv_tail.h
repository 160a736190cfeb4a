// In inference, what follows a convolution in the same primitive, so that a map is written once: batch norm by running
// statistics, whose factors go into the weights and whose shifts are a bias; the residual sum (oneDNN 3.x; 2.6 has no kernel
// that takes it); the ReLU. In bf16 the product of weight and factor is rounded, where apart the weight is.
#pragma once

#include <functional>

#include "backends/onednn/builder.h"

namespace convoy::onednn {

struct ConvTail {
  shim::ConvForward pd;    // as given, where there is nothing to fold
  ChannelFactor factor{};  // of the weights
  View bias{};
  Argument other{};   // of the residual sum
  bool relu = false;  // within the convolution
  int last = -1;      // the node whose value the convolution then writes; -1: nothing is folded
};

// `plain`: node `conv` alone; make(bias, attributes): the same, in the same layouts, with these. Nodes that are folded are marked,
// and have their layouts; a tail that would change the library's kernel is left alone.
ConvTail conv_tail(Builder& to, int conv, const shim::ConvForward& plain,
                   const std::function<shim::ConvForward(const Desc&, const dnnl::primitive_attr&)>& make);

}  // namespace convoy::onednn
