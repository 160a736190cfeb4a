// ReLU on its own, and the residual sum with or without one. All operands are brought to the first one's layout.
#include "backends/onednn/builder.h"
#include "backends/onednn/kernels.h"
#include "backends/onednn/kernels_bf16.h"

namespace convoy::onednn {

EmitBackward emit_relu(Builder& to, int id) {
  const int src_id = to.node(id).inputs[0];
  const bool fused = to.is_fused(id);
  to.set_layout(id, to.layout(src_id));
  if (!fused) {
    const View src = to.value(src_id), dst = to.planned(src.desc);
    to.own_of("relu", src, {src, dst}, [=, count = elements_of(dst.desc)]<class T>(const Run& run, T) {
      relu(run.at<T>(src), run.at<T>(dst), count);
    });
    to.set_value(id, dst);
  }
  // A batch norm applies the mask itself.
  const bool masked_below = fused && std::holds_alternative<BatchNorm>(to.node(src_id).op);
  return [&to, id, src_id, masked_below] {
    if (to.wants_gradient(src_id))
      to.give_gradient(src_id, masked_below ? to.gradient(id) : to.masked_gradient(id));
  };
}

EmitBackward emit_add(Builder& to, int id) {
  if (to.is_folded(id)) return {};
  const std::vector<int>& inputs = to.node(id).inputs;
  const int relu_id = to.fused_relu(id);
  const auto made_of = [=, &to](const View& a, const View& other) {
    const View b = to.in_layout(other, a.desc), dst = to.planned(a.desc);
    to.own_of(relu_id >= 0 ? "add_relu" : "add", a, {a, b, dst},
              [=, count = elements_of(dst.desc)]<class T>(const Run& run, T) {
                add(run.at<T>(a), run.at<T>(b), run.at<T>(dst), count, relu_id >= 0);
              });
    return dst;
  };
  const View dst = made_of(to.value(inputs[0]), to.value(inputs[1]));
  const int answer = relu_id >= 0 ? relu_id : id;
  to.set_layout(id, dst.desc);
  to.set_value(answer, dst);
  // Of a chain of residual sums every second one is kept: the next is one sum away from it.
  const auto is_forgotten_sum = [&](int input) {
    const Op& op = to.node(input).op;
    const bool is_norm = std::holds_alternative<BatchNorm>(
        std::holds_alternative<Relu>(op) ? to.node(to.node(input).inputs[0]).op : op);
    return to.is_forgotten(input) && !is_norm;
  };
  if (!is_forgotten_sum(inputs[0]) && !is_forgotten_sum(inputs[1]))
    to.forget(answer, [=, &to] { return made_of(to.again(inputs[0]), to.again(inputs[1])); });
  return [&to, id] {
    const View gradient = to.gradient(id);
    for (int input : to.node(id).inputs)
      if (to.wants_gradient(input)) to.give_gradient(input, gradient);
  };
}

}  // namespace convoy::onednn
