// Pooling, with the workspace that its backward pass needs.
#include "backends/onednn/builder.h"

namespace convoy::onednn {

EmitBackward emit_pool(Builder& to, int id, const Pool& op) {
  const int src_id = to.node(id).inputs[0];
  const auto how = op.kind == Pool::Kind::max ? dnnl::algorithm::pooling_max
                                              : dnnl::algorithm::pooling_avg_include_padding;
  const shim::Window window{{op.kernel.height, op.kernel.width},
                            {op.stride.height, op.stride.width},
                            {op.padding.height, op.padding.width}};
  const std::vector<Desc> layouts = to.candidate_layouts(src_id);
  const auto pds = to.choose(id, "pooling", layouts.size(), [&](size_t i) {
    const Desc &src = layouts[i], any = any_layout(to.plain(id), shim::type_of(src));
    std::pair<shim::PoolForward, shim::PoolBackward> made;
    made.first = shim::pool_forward(to.engine(), to.forward_kind(), how, src, any, window, to.attributes());
    if (to.training())
      made.second = shim::pool_backward(to.engine(), how, src, made.first.dst_desc(), window, made.first,
                                        to.attributes());
    return made;
  });
  const auto& pd = pds.first;
  const View src = to.in_layout(to.value(src_id), pd.src_desc());
  const View dst = to.planned(pd.dst_desc());
  const bool remembers = to.training() && pd.workspace_desc().get_size() > 0;
  const View workspace = remembers ? to.planned(pd.workspace_desc()) : View{};
  to.call(pd, dnnl::pooling_forward(pd),
          {{DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst}, {DNNL_ARG_WORKSPACE, workspace}});
  to.set_layout(id, dst.desc);
  to.set_value(id, dst);

  return [&to, id, src_id, pds, workspace] {
    if (!to.wants_gradient(src_id)) return;
    const View src_gradient = to.planned(pds.second.diff_src_desc());
    to.call(pds.second, dnnl::pooling_backward(pds.second),
            {{DNNL_ARG_DIFF_DST, to.gradient(id)},
             {DNNL_ARG_WORKSPACE, workspace},
             {DNNL_ARG_DIFF_SRC, src_gradient}});
    to.give_gradient(src_id, src_gradient);
  };
}

}  // namespace convoy::onednn
