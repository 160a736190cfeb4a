#include "backends/fused/planner.h"

namespace convoy::fused {

EmitBackward emit_loss(Planner& to, int id, const SoftmaxLoss& op) {
  const int source = to.input(id);
  const Id logits = to.value(source);
  const Id losses = to.add({.name = to.node(id).name, .n = to.program().images});
  to.emit(LossForward{op.smoothing, logits, to.labels(), losses, to.totals()});
  to.set_value(id, losses);
  return [&to, source, op, logits] {
    if (!to.wants_gradient(source)) return;
    const Id dlogits = to.like(logits, to.node(source).name + ".gradient");
    to.emit(LossBackward{op.smoothing, logits, to.labels(), dlogits});
    to.give_gradient(source, dlogits);
  };
}

}  // namespace convoy::fused
