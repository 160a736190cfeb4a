// The mapper's graphs of main-loop fusion, in the forms that cuDNN's precompiled engines know: scale and shift of the main
// loop in 16 bits, the ReLU's argument in the backward pass made again from f32 vectors, all five outputs of the sums.
// Included by graphs.cpp alone.
#pragma once

#include "backends/cudnn/mapper.h"

namespace convoy::cudnn {

inline Node Mapper::main_loop_input(const Node& x, Id scale, Id shift) {
  if (scale < 0) return x;
  const Node scaled = apply(fe::PointwiseMode_t::MUL, x, input(scale));
  return relu(apply(fe::PointwiseMode_t::ADD, scaled, input(shift)));
}

inline void Mapper::operator()(const ConvStatistics& o) {
  const ConvShape s = conv_shape(o.conv, at(o.x), at(o.w), at(o.y));
  const Node x = main_loop_input(input(o.x, s.x), o.scale, o.shift);
  const Node w = input(o.w, s.w);
  const Node y = graph->conv_fprop(x, w, window<fe::graph::Conv_fprop_attributes>(s.conv));
  output(y, o.y, s.y);
  const auto [sum, squares] = graph->genstats(y, fe::graph::Genstats_attributes());
  output(sum, o.sum);
  output(squares, o.squares);
}

inline Mapper::Norm Mapper::normalized(const fused::Normalized& norm) {
  Norm made{input(norm.x), input(norm.mean), input(norm.inv_std), input(norm.scale), nullptr};
  made.value = apply(fe::PointwiseMode_t::SUB, made.x, made.mean);
  made.value = apply(fe::PointwiseMode_t::MUL, made.value, made.inv_std);
  made.value = apply(fe::PointwiseMode_t::MUL, made.value, made.scale);
  made.value = apply(fe::PointwiseMode_t::ADD, made.value, input(norm.shift));
  return made;
}

inline void Mapper::norm_sums(const Node& g, const Norm& norm, Id dscale, Id dshift) {
  const auto made =
      graph->dbn_weight(g, norm.x, norm.mean, norm.inv_std, norm.scale, fe::graph::DBN_weight_attributes());
  output(made[0], dscale);
  output(made[1], dshift);
  for (size_t i = 2; i < made.size(); ++i)
    sink(made[i], at(dscale).c);  // NormApply's factors in another form
}

inline void Mapper::operator()(const ConvBackwardNorm& o) {
  const ConvShape s = conv_shape(o.conv, at(o.g), at(o.w), at(o.dy));
  const Node dy = input(o.dy, s.y), w = input(o.w, s.w);
  Node g = graph->conv_dgrad(dy, w, window<fe::graph::Conv_dgrad_attributes>(s.conv));
  shape(*g, s.x).set_data_type(fe::DataType_t::FLOAT);
  if (o.addend >= 0) g = apply(fe::PointwiseMode_t::ADD, g, input(o.addend));
  const Norm norm = normalized(o.norm);
  const Norm other = o.other.x >= 0 ? normalized(o.other) : Norm{};
  Node value = norm.value;
  if (o.other.x >= 0) value = apply(fe::PointwiseMode_t::ADD, value, other.value);
  if (o.residual >= 0) value = apply(fe::PointwiseMode_t::ADD, value, input(o.residual));
  g = apply(fe::PointwiseMode_t::RELU_BWD, g, value);
  output(g, o.g);
  norm_sums(g, norm, o.dscale, o.dshift);
  if (o.other.x >= 0) norm_sums(g, other, o.other_dscale, o.other_dshift);
}

}  // namespace convoy::cudnn
