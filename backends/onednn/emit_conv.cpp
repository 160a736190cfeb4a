// Convolution with its bias and a following ReLU in one primitive, in inference with more of what follows (conv_tail.h).
// Weights travel as O I H W, or G O I H W with groups: the same canonical bytes.
#include <string>

#include "backends/onednn/builder.h"
#include "backends/onednn/conv_tail.h"
#include "backends/onednn/emit_winograd.h"
#include "backends/onednn/kernels.h"

namespace convoy::onednn {

namespace {

using dnnl::memory;
constexpr auto f32 = memory::data_type::f32;

struct ConvDescs {
  Desc src, dst, weights, bias;
  shim::Window window;
};

// Canonical layouts of everything: maps in the plan's numbers, parameters in f32 as the arena has them.
ConvDescs describe(const Builder& to, int id, const Conv& op) {
  const int src = to.node(id).inputs[0];
  const int64_t groups = op.groups, channels = to.node(src).shape.channels;
  ConvDescs d;
  d.src = to.plain(src);
  d.dst = to.plain(id);
  if (groups > 1)
    d.weights = Desc({groups, op.outputs / groups, channels / groups, op.kernel.height, op.kernel.width}, f32,
                     memory::format_tag::goihw);
  else
    d.weights =
        Desc({op.outputs, channels, op.kernel.height, op.kernel.width}, f32, memory::format_tag::oihw);
  if (op.bias) d.bias = Desc({op.outputs}, f32, memory::format_tag::x);
  d.window = {{op.kernel.height, op.kernel.width},
              {op.stride.height, op.stride.width},
              {op.padding.height, op.padding.width}};
  return d;
}

// Layouts of (src, dst) to try for a backward primitive: those that value and gradient have, if the forward pass made
// them blocked (reorders cost more than a faster kernel saves), then the library's choice, then plain ones.
struct Maps {
  Desc src, dst;
};
std::vector<Maps> backward_maps(const Builder& to, int id, const ConvDescs& d) {
  const Desc &src = to.layout(to.node(id).inputs[0]), &dst = to.layout(id);
  std::vector<Maps> maps{{any_layout(d.src, to.map_type()), any_layout(d.dst, to.map_type())},
                         {d.src, d.dst}};
  const bool same_type = shim::type_of(src) == to.map_type() && shim::type_of(dst) == to.map_type();
  if (same_type && src != d.src && dst != d.dst) maps.insert(maps.begin(), {src, dst});
  return maps;
}

// Plain maps with the padding around them.
Desc padded_maps(const ConvDescs& d) {
  memory::dims dims = shim::dims_of(d.src);
  dims[2] += 2 * d.window.padding[0];
  dims[3] += 2 * d.window.padding[1];
  return {dims, f32, memory::format_tag::nchw};
}

struct Forward {
  shim::ConvForward pd;
  shim::ConvForward hint;  // of the geometry that the backward primitives have
  bool padded = false;     // pd wants plain maps with the zeros around them, and pads nothing itself
};

// Layouts of the library's choice, or else plain ones. Where it would, in f32, call a matrix product (AlexNet's first layer:
// padding beyond what its direct kernels do), maps that are padded beforehand get a direct kernel: about twice as fast, and
// what it leaves behind is in blocks, not in plain maps for slow pooling.
Forward forward_primitive(const Builder& to, int id, const ConvDescs& d,
                          const dnnl::primitive_attr& attributes) {
  const auto make = [&](const Desc& src, const Desc& dst, const shim::Window& window) {
    return shim::conv_forward(to.engine(), to.forward_kind(), src, any_layout(d.weights, to.map_type()),
                              d.bias, dst, window, attributes);
  };
  const auto usual = to.choose(id, "forward", 2, [&](size_t plain) {
    return plain != 0 ? make(d.src, d.dst, d.window)
                      : make(any_layout(d.src, to.map_type()), any_layout(d.dst, to.map_type()), d.window);
  });
  const bool is_product = std::string(usual.impl_info_str()).find("gemm") != std::string::npos;
  if (!is_product || to.map_type() != f32) return {usual, usual};
  try {
    const shim::Window bare{d.window.kernel, d.window.strides, {0, 0}};
    const auto direct = make(padded_maps(d), any_layout(d.dst, f32), bare);
    if (std::string(direct.impl_info_str()).starts_with("jit")) return {direct, usual, true};
  } catch (const dnnl::error&) {  // it has none
  }
  return {usual, usual};
}

View pad_maps(Builder& to, const View& src, const ConvDescs& d) {
  const View padded = to.planned(padded_maps(d));
  const memory::dims dims = shim::dims_of(d.src);
  const Planes planes{dims[0] * dims[1], dims[2], dims[3]};
  to.own("pad", {src, padded}, [=, padding = d.window.padding](const Run& run) {
    pad(run.at(src), planes, padding[0], padding[1], run.at(padded));
  });
  return padded;
}

}  // namespace

EmitBackward emit_conv(Builder& to, int id, const Conv& op) {
  const Node& node = to.node(id);
  const int src_id = node.inputs[0], relu = to.fused_relu(id);
  const ConvDescs d = describe(to, id, op);
  dnnl::primitive_attr attributes = to.attributes();
  if (relu >= 0) {
    dnnl::post_ops ops;
    shim::append_relu(ops);
    attributes.set_post_ops(ops);
  }
  const Forward forward = forward_primitive(to, id, d, attributes);
  const shim::ConvForward& pd = forward.pd;
  const bool padded = forward.padded;
  if (!padded)
    if (auto small = emit_small_conv(to, id, op, pd.src_desc(), pd.dst_desc())) return *small;
  const auto with_tail = [&](const Desc& bias, const dnnl::primitive_attr& tail_attributes) {
    const shim::Window bare{d.window.kernel, d.window.strides, {0, 0}};
    return shim::conv_forward(to.engine(), to.forward_kind(), pd.src_desc(),
                              any_layout(d.weights, to.map_type()), bias, pd.dst_desc(),
                              padded ? bare : d.window, tail_attributes);
  };
  const std::optional<WinogradConv> quick = padded ? std::nullopt : winograd_conv(to, id, op, pd);
  const ConvTail tail = conv_tail(to, id, pd, with_tail);
  const bool folds = tail.last >= 0;
  const View given = to.in_layout(to.value(src_id), padded ? d.src : pd.src_desc());
  const View src = padded ? pad_maps(to, given, d) : given;
  const View dst = to.planned(pd.dst_desc());
  const int64_t positions = int64_t{to.program().images} * node.shape.height * node.shape.width;
  const View bias = folds ? tail.bias : op.bias ? to.fixed(to.param(node.params[1]), d.bias) : View{};
  if (quick) {
    emit_winograd(to, id, *quick, src, {bias, tail.other.view, folds ? tail.relu : relu >= 0, tail.factor},
                  dst);
  } else {
    const Desc weights = tail.pd.weights_desc();
    std::vector<Argument> arguments{
        {DNNL_ARG_SRC, src},
        {DNNL_ARG_WEIGHTS, folds ? to.scaled_weight(node.params[0], d.weights, weights, tail.factor)
                                 : to.weight(node.params[0], d.weights, weights, positions)},
        {DNNL_ARG_BIAS, bias},
        {DNNL_ARG_DST, dst},
        tail.other};
    to.call(tail.pd, dnnl::convolution_forward(tail.pd), std::move(arguments));
  }
  to.set_layout(id, dst.desc);
  to.set_value(folds ? tail.last : relu >= 0 ? relu : id, dst);
  if (quick) return winograd_backward(to, id, *quick);

  return [&to, id, src_id, d, hint = forward.hint, op, positions] {
    const Node& n = to.node(id);
    const View gradient = to.gradient(id);
    const std::vector<Maps> maps = backward_maps(to, id, d);
    const auto weights_pd = to.choose(id, "weight gradient", maps.size(), [&](size_t i) {
      return shim::conv_weights(to.engine(), maps[i].src, any_layout(d.weights, f32), d.bias, maps[i].dst,
                                d.window, hint, to.attributes());
    });
    const View written = to.param_gradient(n.params[0], d.weights, weights_pd.diff_weights_desc());
    to.call(weights_pd, dnnl::convolution_backward_weights(weights_pd),
            {{DNNL_ARG_SRC, to.in_layout(to.recalled(src_id), weights_pd.src_desc())},
             {DNNL_ARG_DIFF_DST, to.in_layout(gradient, weights_pd.diff_dst_desc())},
             {DNNL_ARG_DIFF_WEIGHTS, written},
             {DNNL_ARG_DIFF_BIAS, op.bias ? to.fixed(to.param_grad(n.params[1]), d.bias) : View{}}});
    to.finish_param_gradient(written, n.params[0], d.weights);
    if (!to.wants_gradient(src_id)) return;

    const auto data_pd = to.choose(id, "data gradient", maps.size(), [&](size_t i) {
      return shim::conv_data(to.engine(), maps[i].src, any_layout(d.weights, to.map_type()), maps[i].dst,
                             d.window, hint, to.attributes());
    });
    const View src_gradient = to.planned(data_pd.diff_src_desc());
    to.call(data_pd, dnnl::convolution_backward_data(data_pd),
            {{DNNL_ARG_DIFF_DST, to.in_layout(gradient, data_pd.diff_dst_desc())},
             {DNNL_ARG_WEIGHTS, to.weight(n.params[0], d.weights, data_pd.weights_desc(), positions)},
             {DNNL_ARG_DIFF_SRC, src_gradient}});
    to.give_gradient(src_id, src_gradient);
  };
}

}  // namespace convoy::onednn
