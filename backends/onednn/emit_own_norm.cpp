// Batch normalization of bf16 maps by loops of ours, group by group: the library's read a map three times forward, and took 1.4 times as
// long on two cores with AMX. Where a value is made again for the backward pass it is by the same loop, from statistics that are known.
#include "backends/onednn/norm_kernel.h"
#include "backends/onednn/norm_parts.h"

namespace convoy::onednn {
namespace {

using dnnl::memory;

// The loops' view of `groups` equal slices of maps in this layout, if they have one.
std::optional<NormMaps> norm_maps(const Desc& desc, int groups) {
  const memory::dims d = shim::dims_of(desc);
  const auto is = [&](memory::format_tag tag) { return desc == Desc(d, memory::data_type::bf16, tag); };
  NormMaps maps{d[0] / groups, d[1], d[2] * d[3], 0};
  if (is(memory::format_tag::nhwc))
    maps.block = d[1];
  else if (d[1] % 16 == 0 && is(memory::format_tag::nChw16c))
    maps.block = 16;
  else if (d[1] % 8 == 0 && is(memory::format_tag::nChw8c))
    maps.block = 8;
  if (maps.block == 0 || (maps.block > 2048 && maps.block % 32 != 0)) return std::nullopt;
  return maps;
}

}  // namespace

std::optional<EmitBackward> emit_own_norm(Builder& to, int id, const BatchNorm& op) {
  const Node& node = to.node(id);
  const int src_id = node.inputs[0], relu = to.fused_relu(id);
  const int groups = to.program().images / images_of(to.program(), op);
  const std::optional<NormMaps> found = norm_maps(to.layout(src_id), groups);
  if (!to.training() || !found) return std::nullopt;
  const NormMaps maps = *found;
  const Desc vector({node.shape.channels}, memory::data_type::f32, memory::format_tag::x);
  const View src = to.in_layout(to.value(src_id), to.layout(src_id)), dst = to.planned(src.desc);
  const View scale = op.affine ? to.fixed(to.param(node.params[0]), vector) : View{};
  const View shift = op.affine ? to.fixed(to.param(node.params[1]), vector) : View{};
  const View scratch = to.scratch(norm_scratch(maps));
  const std::vector<View> mean = vectors(to, vector, groups), variance = vectors(to, vector, groups);
  const auto factors = [=, epsilon = op.epsilon](const Run& run, size_t group) {
    return NormFactors{run.at(mean[group]),
                       run.at(variance[group]),
                       scale ? run.at(scale) : nullptr,
                       shift ? run.at(shift) : nullptr,
                       epsilon,
                       relu >= 0};
  };
  const auto apply = [=, &to](const View& result) {
    for (int g = 0; g < groups; ++g) {
      const View from = slice_of(src, g, groups), made = slice_of(result, g, groups);
      const auto i = static_cast<size_t>(g);
      to.own("normalize", {from, mean[i], variance[i], scale, shift, made}, [=](const Run& run) {
        normalize(maps, factors(run, i), run.at<uint16_t>(from), run.at<uint16_t>(made), run.at(scratch));
      });
    }
  };
  for (int g = 0; g < groups; ++g) {
    const View from = slice_of(src, g, groups);
    const auto i = static_cast<size_t>(g);
    to.own("norm_statistics", {from, mean[i], variance[i]}, [=](const Run& run) {
      norm_statistics(maps, run.at<uint16_t>(from), run.at(mean[i]), run.at(variance[i]), run.at(scratch));
    });
  }
  apply(dst);
  to.set_layout(id, dst.desc);
  to.set_value(relu >= 0 ? relu : id, dst);
  copy_statistics(to, id, op, mean, variance);
  to.forget(relu >= 0 ? relu : id, [=, &to] {
    const View made = to.planned(src.desc);
    apply(made);
    return made;
  });

  return [=, &to] {
    norm_backward(to, id, op, [&](const NormGroup& of) {
      const View from = slice_of(src, of.group, groups);
      const auto i = static_cast<size_t>(of.group);
      to.own("norm_gradient",
             {from, of.gradient, mean[i], variance[i], scale, shift, of.src_gradient, of.d_scale, of.d_shift},
             [=](const Run& run) {
               norm_gradient(maps, factors(run, i), run.at<uint16_t>(from), run.at<uint16_t>(of.gradient),
                             run.at<uint16_t>(of.src_gradient), of.d_scale ? run.at(of.d_scale) : nullptr,
                             of.d_shift ? run.at(of.d_shift) : nullptr, run.at(scratch));
             });
    });
  };
}

}  // namespace convoy::onednn
