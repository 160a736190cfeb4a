// Batch normalization with a following ReLU in one primitive, run on each group of images in turn: a group is a slice of
// the maps' buffers, images being their outermost dimension. In training the primitive's mean and variance stay in
// buffers of ours for the backward pass and their means over the groups are copied into the arena's statistics (variance
// by n/(n-1) where the node says so); in inference it reads the running statistics, where a convolution has not taken it over.
#include <string>

#include "backends/onednn/builder.h"
#include "backends/onednn/norm_parts.h"

namespace convoy::onednn {

using dnnl::memory;
using dnnl::normalization_flags;

namespace {

struct NormPrimitives {
  shim::NormForward forward;
  shim::NormBackward backward;  // in training
  Desc maps;                    // of all images; the primitives' are of one group
};

bool is_reference(const NormPrimitives& p) {
  return is_reference_name(p.forward.impl_info_str()) ||
         (p.backward && is_reference_name(p.backward.impl_info_str()));
}

}  // namespace

EmitBackward emit_norm(Builder& to, int id, const BatchNorm& op) {
  if (to.is_folded(id)) return {};
  if (const auto own = emit_own_norm(to, id, op)) return *own;
  const Node& node = to.node(id);
  const int src_id = node.inputs[0], relu = to.fused_relu(id);
  const int groups = to.program().images / images_of(to.program(), op);
  const Desc vector({node.shape.channels}, memory::data_type::f32, memory::format_tag::x);
  auto flags = normalization_flags::none;
  if (op.affine) flags |= normalization_flags::use_scale | normalization_flags::use_shift;
  if (relu >= 0) flags |= normalization_flags::fuse_norm_relu;
  if (!to.training()) flags |= normalization_flags::use_global_stats;

  // In the source's layout if the library has fast kernels for both passes.
  const std::vector<Desc> layouts = to.candidate_layouts(src_id);
  const auto pds = to.choose(id, "batch norm", layouts.size(), [&](size_t i) {
    const Desc desc = slice_of(layouts[i], groups);
    NormPrimitives made;
    made.forward =
        shim::norm_forward(to.engine(), to.forward_kind(), desc, op.epsilon, flags, to.attributes());
    if (to.training())
      made.backward =
          shim::norm_backward(to.engine(), desc, op.epsilon, flags, made.forward, to.attributes());
    made.maps = layouts[i];
    return made;
  });
  const View src = to.in_layout(to.value(src_id), pds.maps), dst = to.planned(pds.maps);
  const View scale = op.affine ? to.fixed(to.param(node.params[0]), vector) : View{};
  const View shift = op.affine ? to.fixed(to.param(node.params[1]), vector) : View{};
  std::vector<View> mean, variance, workspace(static_cast<size_t>(groups));  // by group
  if (to.training()) {
    mean = vectors(to, vector, groups);
    variance = vectors(to, vector, groups);
    if (relu >= 0) workspace = vectors(to, pds.forward.workspace_desc(), groups);
  } else {
    mean = {to.fixed(to.stat(node.stats[0]), vector)};
    variance = {to.fixed(to.stat(node.stats[1]), vector)};
  }
  const auto apply = [=, &to](const shim::NormForward& pd, const View& result, bool remembers) {
    const dnnl::batch_normalization_forward primitive(pd);
    for (int g = 0; g < groups; ++g) {
      const auto i = static_cast<size_t>(g);
      to.call(pd, primitive,
              {{DNNL_ARG_SRC, slice_of(src, g, groups)},
               {DNNL_ARG_SCALE, scale},
               {DNNL_ARG_SHIFT, shift},
               {DNNL_ARG_MEAN, mean[i]},
               {DNNL_ARG_VARIANCE, variance[i]},
               {DNNL_ARG_DST, slice_of(result, g, groups)},
               {DNNL_ARG_WORKSPACE, remembers ? workspace[i] : View{}}});
    }
  };
  apply(pds.forward, dst, true);
  to.set_layout(id, dst.desc);
  to.set_value(relu >= 0 ? relu : id, dst);
  if (!to.training()) return {};
  copy_statistics(to, id, op, mean, variance);
  if (to.forgets()) {
    // The same values from statistics that are known: by the same kernel, or the bits might differ.
    const auto again =
        shim::norm_forward(to.engine(), dnnl::prop_kind::forward_inference, slice_of(pds.maps, groups),
                           op.epsilon, flags | normalization_flags::use_global_stats, to.attributes());
    if (std::string(again.impl_info_str()) == pds.forward.impl_info_str())
      to.forget(relu >= 0 ? relu : id, [=, &to] {
        const View made = to.planned(pds.maps);
        apply(again, made, false);
        return made;
      });
  }

  return [=, &to] {
    const dnnl::batch_normalization_backward backward(pds.backward);
    norm_backward(to, id, op, [&](const NormGroup& of) {
      const auto i = static_cast<size_t>(of.group);
      to.call(pds.backward, backward,
              {{DNNL_ARG_SRC, slice_of(src, of.group, groups)},
               {DNNL_ARG_SCALE, scale},
               {DNNL_ARG_SHIFT, shim::norm_backward_takes_shift ? shift : View{}},
               {DNNL_ARG_MEAN, mean[i]},
               {DNNL_ARG_VARIANCE, variance[i]},
               {DNNL_ARG_DIFF_DST, of.gradient},
               {DNNL_ARG_WORKSPACE, workspace[i]},
               {DNNL_ARG_DIFF_SRC, of.src_gradient},
               {DNNL_ARG_DIFF_SCALE, of.d_scale},
               {DNNL_ARG_DIFF_SHIFT, of.d_shift}});
    });
  };
}

}  // namespace convoy::onednn
