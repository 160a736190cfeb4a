// Inner product. Sources are brought into plain CHW order (small next to the weights), so that the canonical weights and
// their gradient are used where they lie: AlexNet's first one has 37 million of them. Where the library has no fast
// kernel for that, and in bf16, where weights are converted anyway, it chooses the layouts. What the loss reads is f32.
#include "backends/onednn/builder.h"
#include "backends/onednn/kernels.h"
#include "backends/onednn/kernels_bf16.h"

namespace convoy::onednn {

EmitBackward emit_linear(Builder& to, int id, const Linear& op) {
  using dnnl::memory;
  constexpr auto f32 = memory::data_type::f32;
  const Node& node = to.node(id);
  const int src_id = node.inputs[0], relu = to.fused_relu(id);
  const int64_t images = to.program().images, inputs = to.node(src_id).shape.elements(), outputs = op.outputs;
  const auto type = to.map_type();
  const Desc dst_maps_desc = to.only_loss_reads(id) ? to.given(id) : to.plain(id);
  const Desc src_desc({images, inputs}, type, memory::format_tag::nc);
  const Desc dst_desc({images, outputs}, shim::type_of(dst_maps_desc), memory::format_tag::nc);
  const Desc dst_gradient_desc({images, outputs}, type, memory::format_tag::nc);
  const Desc weights({outputs, inputs}, f32, memory::format_tag::oi);
  const Desc weights_any = any_layout(weights, type);
  const Desc bias_desc = op.bias ? Desc({outputs}, f32, memory::format_tag::x) : Desc();

  const auto pd = to.choose(id, "forward", 2, [&](size_t any) {
    return shim::linear_forward(to.engine(), to.forward_kind(), src_desc, any != 0 ? weights_any : weights,
                                bias_desc, dst_desc, to.attributes());
  });
  // The same bytes, seen as a matrix here and as maps elsewhere.
  const View src{to.in_layout(to.value(src_id), to.plain(src_id)).buffer, src_desc};
  const View dst_maps = to.planned(dst_maps_desc), dst{dst_maps.buffer, dst_desc};
  to.call(pd, dnnl::inner_product_forward(pd),
          {{DNNL_ARG_SRC, src},
           {DNNL_ARG_WEIGHTS, to.weight(node.params[0], weights, pd.weights_desc(), images)},
           {DNNL_ARG_BIAS, op.bias ? to.fixed(to.param(node.params[1]), bias_desc) : View{}},
           {DNNL_ARG_DST, dst}});
  if (relu >= 0)
    to.own_of("relu", dst, {dst}, [dst, count = elements_of(dst_desc)]<class T>(const Run& run, T) {
      convoy::onednn::relu(run.at<T>(dst), run.at<T>(dst), count);
    });
  to.set_layout(id, dst_maps.desc);
  to.set_value(relu >= 0 ? relu : id, dst_maps);

  return [=, &to] {
    const Node& n = to.node(id);
    const View gradient{to.in_layout(to.gradient(id), to.plain(id)).buffer, dst_gradient_desc};
    const auto weights_pd = to.choose(id, "weight gradient", 2, [&](size_t any) {
      return shim::linear_weights(to.engine(), src_desc, any != 0 ? any_layout(weights, f32) : weights,
                                  bias_desc, dst_gradient_desc, pd, to.attributes());
    });
    const View written = to.param_gradient(n.params[0], weights, weights_pd.diff_weights_desc());
    to.call(weights_pd, dnnl::inner_product_backward_weights(weights_pd),
            {{DNNL_ARG_SRC, src},
             {DNNL_ARG_DIFF_DST, gradient},
             {DNNL_ARG_DIFF_WEIGHTS, written},
             {DNNL_ARG_DIFF_BIAS, op.bias ? to.fixed(to.param_grad(n.params[1]), bias_desc) : View{}}});
    to.finish_param_gradient(written, n.params[0], weights);
    if (!to.wants_gradient(src_id)) return;

    const auto data_pd = to.choose(id, "data gradient", 2, [&](size_t any) {
      return shim::linear_data(to.engine(), src_desc, any != 0 ? weights_any : weights, dst_gradient_desc, pd,
                               to.attributes());
    });
    const View src_gradient = to.planned(to.plain(src_id));
    to.call(data_pd, dnnl::inner_product_backward_data(data_pd),
            {{DNNL_ARG_DIFF_DST, gradient},
             {DNNL_ARG_WEIGHTS, to.weight(n.params[0], weights, data_pd.weights_desc(), images)},
             {DNNL_ARG_DIFF_SRC, View{src_gradient.buffer, src_desc}}});
    to.give_gradient(src_id, src_gradient);
  };
}

}  // namespace convoy::onednn
