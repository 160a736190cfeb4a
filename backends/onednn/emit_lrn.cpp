// Local response normalization: the library's where it has fast kernels for both passes in some layout (2.6 has for
// AVX2 and AVX-512, 3.2 only for AVX-512), else our own in the source's layout.
#include "backends/onednn/builder.h"
#include "backends/onednn/lrn_kernel.h"

namespace convoy::onednn {

namespace {

using dnnl::memory;
using Pair = std::pair<shim::LrnForward, shim::LrnBackward>;

Desc with_tag(const Desc& desc, memory::format_tag tag) {
  return {shim::dims_of(desc), shim::type_of(desc), tag};
}

// Of one of the layouts that library kernels and images come in; block 0 for any other.
ChannelLayout channel_layout(const Desc& desc) {
  using Tag = memory::format_tag;
  const auto dims = shim::dims_of(desc);
  const int64_t channels = dims[1], positions = dims[2] * dims[3];
  ChannelLayout l{dims[0], channels, positions, 0, channels * positions, 0, 0, 0};
  const auto set = [&](int64_t block, int64_t block_stride, int64_t lane_stride, int64_t position_stride) {
    l.block = block;
    l.block_stride = block_stride;
    l.lane_stride = lane_stride;
    l.position_stride = position_stride;
  };
  if (desc == with_tag(desc, Tag::nchw)) set(1, positions, 0, 1);
  if (desc == with_tag(desc, Tag::nhwc)) set(1, 1, 0, channels);
  for (const auto& [tag, block] : {std::pair{Tag::nChw8c, 8}, {Tag::nChw16c, 16}})
    if (channels % block == 0 && desc == with_tag(desc, tag)) set(block, positions * block, 1, block);
  return l;
}

// The library's pair in the first layout that has fast kernels for both passes, or empty ones.
Pair library_pair(const Builder& to, int id, const shim::LrnShape& shape) {
  for (const Desc& desc : to.candidate_layouts(to.node(id).inputs[0])) {
    try {
      Pair made;
      made.first = shim::lrn_forward(to.engine(), to.forward_kind(), desc, shape, to.attributes());
      if (to.training())
        made.second = shim::lrn_backward(to.engine(), desc, shape, made.first, to.attributes());
      if (!is_reference(made)) return made;
    } catch (const dnnl::error&) {  // not in this layout
    }
  }
  return {};
}

// The value's layout in f32 where our own loops know it, else the plain one.
Desc own_layout(const Builder& to, int id) {
  using Tag = memory::format_tag;
  const Desc& desc = to.layout(id);
  for (const Tag tag : {Tag::nchw, Tag::nhwc, Tag::nChw8c, Tag::nChw16c}) {
    const Desc same(shim::dims_of(desc), memory::data_type::f32, tag);
    if (desc == with_tag(desc, tag) && channel_layout(same).block > 0) return same;
  }
  return to.given(id);
}

EmitBackward emit_own(Builder& to, int id, const Lrn& op) {
  const int src_id = to.node(id).inputs[0];
  const View src = to.in_layout(to.value(src_id), own_layout(to, src_id));
  const ChannelLayout layout = channel_layout(src.desc);
  const View dst = to.planned(src.desc);
  const Desc scratch_desc({to.threads() * lrn_scratch(layout.channels)}, memory::data_type::f32,
                          memory::format_tag::x);
  const View scratch = to.planned(scratch_desc);
  to.own("lrn", {src, dst, scratch},
         [=](const Run& run) { lrn_forward(layout, op, run.at(src), run.at(dst), run.at(scratch)); });
  to.set_layout(id, dst.desc);
  to.set_value(id, dst);
  return [=, &to] {
    if (!to.wants_gradient(src_id)) return;
    const View gradient = to.gradient(id), src_gradient = to.overwritable(gradient),
               room = to.planned(scratch_desc);
    to.own("lrn", {src, gradient, src_gradient, room}, [=](const Run& run) {
      lrn_backward(layout, op, run.at(src), run.at(gradient), run.at(src_gradient), run.at(room));
    });
    to.give_gradient(src_id, src_gradient);
  };
}

}  // namespace

EmitBackward emit_lrn(Builder& to, int id, const Lrn& op) {
  const int src_id = to.node(id).inputs[0];
  const Pair pds = library_pair(to, id, {op.size, op.alpha, op.beta, op.k});
  if (!pds.first) return emit_own(to, id, op);
  const auto& pd = pds.first;
  const View src = to.in_layout(to.value(src_id), pd.src_desc());
  const View dst = to.planned(pd.dst_desc());
  const bool remembers = to.training() && pd.workspace_desc().get_size() > 0;
  const View workspace = remembers ? to.planned(pd.workspace_desc()) : View{};
  to.call(pd, dnnl::lrn_forward(pd),
          {{DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst}, {DNNL_ARG_WORKSPACE, workspace}});
  to.set_layout(id, dst.desc);
  to.set_value(id, dst);

  return [&to, id, src_id, pds, src, workspace] {
    if (!to.wants_gradient(src_id)) return;
    const View src_gradient = to.planned(pds.second.diff_src_desc());
    to.call(pds.second, dnnl::lrn_backward(pds.second),
            {{DNNL_ARG_SRC, src},
             {DNNL_ARG_DIFF_DST, to.gradient(id)},
             {DNNL_ARG_WORKSPACE, workspace},
             {DNNL_ARG_DIFF_SRC, src_gradient}});
    to.give_gradient(src_id, src_gradient);
  };
}

}  // namespace convoy::onednn
