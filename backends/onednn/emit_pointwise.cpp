// ReLU on its own, and the residual sum with or without one. All operands are brought to the first one's layout.
#include "backends/onednn/builder.h"
#include "backends/onednn/kernels.h"

namespace convoy::onednn {

EmitBackward emit_relu(Builder& to, int id) {
  const int src_id = to.node(id).inputs[0];
  const bool fused = to.is_fused(id);
  to.set_layout(id, to.layout(src_id));
  if (!fused) {
    const View src = to.value(src_id), dst = to.planned(src.desc);
    const size_t count = dst.desc.get_size() / sizeof(float);
    to.own("relu", {src, dst}, [=](const Run& run) { relu(run.at(src), run.at(dst), count); });
    to.set_value(id, dst);
  }
  // A batch norm applies the mask itself, from its workspace.
  const bool masked_below = fused && std::holds_alternative<BatchNorm>(to.node(src_id).op);
  return [&to, id, src_id, masked_below] {
    if (to.wants_gradient(src_id))
      to.give_gradient(src_id, masked_below ? to.gradient(id) : to.masked_gradient(id));
  };
}

EmitBackward emit_add(Builder& to, int id) {
  const std::vector<int>& inputs = to.node(id).inputs;
  const int relu_id = to.fused_relu(id);
  const View a = to.value(inputs[0]), b = to.in_layout(to.value(inputs[1]), a.desc), dst = to.planned(a.desc);
  const size_t count = dst.desc.get_size() / sizeof(float);
  to.own(relu_id >= 0 ? "add_relu" : "add", {a, b, dst},
         [=](const Run& run) { add(run.at(a), run.at(b), run.at(dst), count, relu_id >= 0); });
  to.set_layout(id, dst.desc);
  to.set_value(relu_id >= 0 ? relu_id : id, dst);
  return [&to, id] {
    const View gradient = to.gradient(id);
    for (int input : to.node(id).inputs)
      if (to.wants_gradient(input)) to.give_gradient(input, gradient);
  };
}

}  // namespace convoy::onednn
