// Batch normalization with a following ReLU in one primitive. In training the primitive's mean and variance stay in
// buffers of ours for the backward pass and are copied into the arena's statistics (variance by n/(n-1) where the node
// says so); in inference it reads the running statistics.
#include <algorithm>

#include "backends/onednn/builder.h"

namespace convoy::onednn {

using dnnl::memory;
using dnnl::normalization_flags;

namespace {

// The minibatch's statistics, as the running averages want them.
void copy_statistics(Builder& to, int id, const BatchNorm& op, const View& mean, const View& variance) {
  const Node& node = to.node(id);
  const std::span<float> mean_to = to.stat_grad(node.stats[0]), variance_to = to.stat_grad(node.stats[1]);
  const double n = static_cast<double>(to.program().images) * node.shape.height * node.shape.width;
  const auto scale = static_cast<float>(op.unbiased_running && n > 1 ? n / (n - 1) : 1.0);
  to.own("statistics", {mean, variance}, [=](const Run& run) {
    std::copy_n(run.at(mean), mean_to.size(), mean_to.begin());
    std::transform(run.at(variance), run.at(variance) + variance_to.size(), variance_to.begin(),
                   [scale](float v) { return v * scale; });
  });
}

}  // namespace

EmitBackward emit_norm(Builder& to, int id, const BatchNorm& op) {
  const Node& node = to.node(id);
  const int src_id = node.inputs[0], relu = to.fused_relu(id);
  const Desc vector({node.shape.channels}, memory::data_type::f32, memory::format_tag::x);
  auto flags = normalization_flags::none;
  if (op.affine) flags |= normalization_flags::use_scale | normalization_flags::use_shift;
  if (relu >= 0) flags |= normalization_flags::fuse_norm_relu;
  if (!to.training()) flags |= normalization_flags::use_global_stats;

  // In the source's layout if the library has fast kernels for both passes.
  const std::vector<Desc> layouts = to.candidate_layouts(src_id);
  const auto pds = to.choose(id, "batch norm", layouts.size(), [&](size_t i) {
    const Desc& desc = layouts[i];
    std::pair<shim::NormForward, shim::NormBackward> made;
    made.first = shim::norm_forward(to.engine(), to.forward_kind(), desc, op.epsilon, flags, to.attributes());
    if (to.training())
      made.second = shim::norm_backward(to.engine(), desc, op.epsilon, flags, made.first, to.attributes());
    return made;
  });
  const auto& pd = pds.first;
  const View src = to.in_layout(to.value(src_id), pd.src_desc());
  const View dst = to.planned(pd.dst_desc());
  const View scale = op.affine ? to.fixed(to.param(node.params[0]), vector) : View{};
  const View shift = op.affine ? to.fixed(to.param(node.params[1]), vector) : View{};
  const View mean = to.training() ? to.planned(vector) : to.fixed(to.stat(node.stats[0]), vector);
  const View variance = to.training() ? to.planned(vector) : to.fixed(to.stat(node.stats[1]), vector);
  const View workspace = to.training() && relu >= 0 ? to.planned(pd.workspace_desc()) : View{};
  to.call(pd, dnnl::batch_normalization_forward(pd),
          {{DNNL_ARG_SRC, src},
           {DNNL_ARG_SCALE, scale},
           {DNNL_ARG_SHIFT, shift},
           {DNNL_ARG_MEAN, mean},
           {DNNL_ARG_VARIANCE, variance},
           {DNNL_ARG_DST, dst},
           {DNNL_ARG_WORKSPACE, workspace}});
  to.set_layout(id, dst.desc);
  to.set_value(relu >= 0 ? relu : id, dst);
  if (!to.training()) return {};
  copy_statistics(to, id, op, mean, variance);

  return [&to, id, src_id, op, vector, pds, src, scale, shift, mean, variance, workspace] {
    const Node& n = to.node(id);
    const View gradient = to.gradient(id);
    const View src_gradient = to.overwritable(gradient);
    to.call(pds.second, dnnl::batch_normalization_backward(pds.second),
            {{DNNL_ARG_SRC, src},
             {DNNL_ARG_SCALE, scale},
             {DNNL_ARG_SHIFT, shim::norm_backward_takes_shift ? shift : View{}},
             {DNNL_ARG_MEAN, mean},
             {DNNL_ARG_VARIANCE, variance},
             {DNNL_ARG_DIFF_DST, gradient},
             {DNNL_ARG_WORKSPACE, workspace},
             {DNNL_ARG_DIFF_SRC, src_gradient},
             {DNNL_ARG_DIFF_SCALE, op.affine ? to.fixed(to.param_grad(n.params[0]), vector) : View{}},
             {DNNL_ARG_DIFF_SHIFT, op.affine ? to.fixed(to.param_grad(n.params[1]), vector) : View{}}});
    if (to.wants_gradient(src_id)) to.give_gradient(src_id, src_gradient);
  };
}

}  // namespace convoy::onednn
