// Batch normalization with a following ReLU in one primitive, run on each group of images in turn: a group is a slice of
// the maps' buffers, images being their outermost dimension. In training the primitive's mean and variance stay in
// buffers of ours for the backward pass and their means over the groups are copied into the arena's statistics (variance
// by n/(n-1) where the node says so); in inference it reads the running statistics, where a convolution has not taken it over.
#include <algorithm>
#include <string>

#include "backends/onednn/builder.h"

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

// The layout of one of `groups` equal slices of the images; throws where the slices do not lie behind one another.
Desc slice_of(const Desc& maps, int groups) {
  if (groups == 1) return maps;
  memory::dims dims = shim::dims_of(maps);
  dims[0] /= groups;
  const Desc slice = maps.submemory_desc(dims, memory::dims(dims.size(), 0));
  if (slice.get_size() * static_cast<size_t>(groups) != maps.get_size())
    throw dnnl::error(dnnl_unimplemented, "images are not the outermost dimension");
  return slice;
}

View slice_of(const View& maps, int group, int groups) {
  const Desc slice = slice_of(maps.desc, groups);
  return {maps.buffer, slice, maps.offset + static_cast<size_t>(group) * slice.get_size()};
}

std::vector<View> vectors(Builder& to, const Desc& desc, int count) {
  std::vector<View> made;
  for (int i = 0; i < count; ++i) made.push_back(to.planned(desc));
  return made;
}

std::vector<View> joined(std::vector<View> a, const std::vector<View>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

double sum_of(const Run& run, const std::vector<View>& vectors, size_t channel) {
  double sum = 0;
  for (const View& vector : vectors) sum += static_cast<double>(run.at(vector)[channel]);
  return sum;
}

// The minibatch's statistics, as the running averages want them.
void copy_statistics(Builder& to, int id, const BatchNorm& op, const std::vector<View>& means,
                     const std::vector<View>& variances) {
  const Node& node = to.node(id);
  const std::span<float> mean_to = to.stat_grad(node.stats[0]), variance_to = to.stat_grad(node.stats[1]);
  const double n = static_cast<double>(images_of(to.program(), op)) * node.shape.height * node.shape.width;
  const auto scale = static_cast<float>(op.unbiased_running && n > 1 ? n / (n - 1) : 1.0);
  const auto groups = static_cast<double>(means.size());
  to.own("statistics", joined(means, variances), [=](const Run& run) {
    for (size_t c = 0; c < mean_to.size(); ++c) {
      mean_to[c] = static_cast<float>(sum_of(run, means, c) / groups);
      variance_to[c] = static_cast<float>(sum_of(run, variances, c) / groups) * scale;
    }
  });
}

// Where each group's gradient of a parameter is written, and their sum into the arena.
class ParamGradient {
 public:
  ParamGradient(Builder& to, const Node& node, const BatchNorm& op, size_t which, const Desc& vector,
                int groups) {
    if (!op.affine) {
      parts_.resize(static_cast<size_t>(groups));
      return;
    }
    home_ = to.param_grad(node.params[which]);
    parts_ = groups == 1 ? std::vector{to.fixed(home_, vector)} : vectors(to, vector, groups);
  }
  const View& part(int group) const { return parts_[static_cast<size_t>(group)]; }
  void finish(Builder& to) const {
    if (home_.empty() || parts_.size() == 1) return;
    to.own("sum of groups", parts_, [home = home_, parts = parts_](const Run& run) {
      for (size_t c = 0; c < home.size(); ++c) home[c] = static_cast<float>(sum_of(run, parts, c));
    });
  }

 private:
  std::span<float> home_;
  std::vector<View> parts_;
};

}  // namespace

EmitBackward emit_norm(Builder& to, int id, const BatchNorm& op) {
  if (to.is_folded(id)) return {};
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
    const View gradient = to.gradient(id);
    const View src_gradient = to.overwritable(gradient);
    const ParamGradient d_scale(to, to.node(id), op, 0, vector, groups),
        d_shift(to, to.node(id), op, 1, vector, groups);
    const dnnl::batch_normalization_backward backward(pds.backward);
    for (int g = 0; g < groups; ++g) {
      const auto i = static_cast<size_t>(g);
      to.call(pds.backward, backward,
              {{DNNL_ARG_SRC, slice_of(src, g, groups)},
               {DNNL_ARG_SCALE, scale},
               {DNNL_ARG_SHIFT, shim::norm_backward_takes_shift ? shift : View{}},
               {DNNL_ARG_MEAN, mean[i]},
               {DNNL_ARG_VARIANCE, variance[i]},
               {DNNL_ARG_DIFF_DST, slice_of(gradient, g, groups)},
               {DNNL_ARG_WORKSPACE, workspace[i]},
               {DNNL_ARG_DIFF_SRC, slice_of(src_gradient, g, groups)},
               {DNNL_ARG_DIFF_SCALE, d_scale.part(g)},
               {DNNL_ARG_DIFF_SHIFT, d_shift.part(g)}});
    }
    d_scale.finish(to);
    d_shift.finish(to);
    if (to.wants_gradient(src_id)) to.give_gradient(src_id, src_gradient);
  };
}

}  // namespace convoy::onednn
