#include "backends/onednn/conv_tail.h"

#include <cmath>
#include <string>

namespace convoy::onednn {
namespace {

using dnnl::memory;

// The nodes after a convolution; -1: none.
struct Followers {
  int norm = -1, add = -1, other = -1, relu = -1;
  int last() const { return relu >= 0 ? relu : add >= 0 ? add : norm; }
};

Followers followers(const Builder& to, int conv, bool with_sum) {
  Followers found;
  const int norm = to.only_reader(conv);
  if (norm < 0 || !std::holds_alternative<BatchNorm>(to.node(norm).op)) return found;
  found.norm = norm;
  found.relu = to.fused_relu(norm);
  const int add = to.only_reader(norm);
  if (!with_sum || found.relu >= 0 || add < 0 || !std::holds_alternative<Add>(to.node(add).op)) return found;
  const std::vector<int>& inputs = to.node(add).inputs;
  const int other = inputs[0] == norm ? inputs[1] : inputs[0];
  if (!to.value(other)) return found;  // of two branches the later one takes the sum
  found.add = add;
  found.other = other;
  found.relu = to.fused_relu(add);
  return found;
}

// gamma / sqrt(variance + epsilon) of each channel: what the weights are multiplied by.
ChannelFactor factor_of(Builder& to, int norm) {
  const Node& node = to.node(norm);
  const auto& op = std::get<BatchNorm>(node.op);
  return [variance = to.stat(node.stats[1]), epsilon = static_cast<double>(op.epsilon),
          gamma = op.affine ? to.param(node.params[0]) : std::span<float>{}](size_t c) {
    return (gamma.empty() ? 1.0 : static_cast<double>(gamma[c])) /
           std::sqrt(static_cast<double>(variance[c]) + epsilon);
  };
}

// beta + (bias - mean) * that.
View shift_of(Builder& to, int conv, int norm, const Desc& vector) {
  const Node &node = to.node(norm), &before = to.node(conv);
  const bool affine = std::get<BatchNorm>(node.op).affine, biased = std::get<Conv>(before.op).bias;
  const std::span<float> beta = affine ? to.param(node.params[1]) : std::span<float>{};
  const std::span<float> bias = biased ? to.param(before.params[1]) : std::span<float>{};
  const View mean = to.fixed(to.stat(node.stats[0]), vector);
  return to.derived(
      "shift", mean, vector,
      [=, factor = factor_of(to, norm), channels = static_cast<size_t>(node.shape.channels)](
          const float* means, float* made) {
        for (size_t c = 0; c < channels; ++c) {
          const double from = (biased ? static_cast<double>(bias[c]) : 0.0) - static_cast<double>(means[c]);
          made[c] = static_cast<float>((affine ? static_cast<double>(beta[c]) : 0.0) + from * factor(c));
        }
      });
}

dnnl::primitive_attr attributes(const Builder& to, const Followers& tail, const Desc& maps) {
  dnnl::post_ops ops;
  if (tail.add >= 0) ops.append_binary(dnnl::algorithm::binary_add, maps);
  if (tail.relu >= 0) shim::append_relu(ops);
  dnnl::primitive_attr attributes = to.attributes();
  attributes.set_post_ops(ops);
  return attributes;
}

}  // namespace

ConvTail conv_tail(Builder& to, int conv, const shim::ConvForward& plain,
                   const std::function<shim::ConvForward(const Desc&, const dnnl::primitive_attr&)>& make) {
  ConvTail none{plain};
  if (to.training() || !to.fuses()) return none;
  const Desc vector({to.node(conv).shape.channels}, memory::data_type::f32, memory::format_tag::x);
  for (const bool with_sum : {true, false}) {
    const Followers tail = followers(to, conv, with_sum);
    if (tail.norm < 0 || (with_sum && tail.add < 0)) continue;
    shim::ConvForward pd;
    try {
      pd = make(vector, attributes(to, tail, plain.dst_desc()));
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented) throw;
      continue;
    }
    if (std::string(pd.impl_info_str()) != plain.impl_info_str()) continue;
    ConvTail made{pd, factor_of(to, tail.norm), shift_of(to, conv, tail.norm, vector)};
    made.relu = tail.relu >= 0;
    made.last = tail.last();
    if (tail.add >= 0)
      made.other = {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                    to.in_layout(to.value(tail.other), plain.dst_desc())};
    for (const int id : {tail.norm, tail.add})
      if (id >= 0) {
        to.set_folded(id, conv);
        to.set_layout(id, plain.dst_desc());
      }
    return made;
  }
  return none;
}

}  // namespace convoy::onednn
