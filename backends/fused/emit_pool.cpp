// Pooling and local response normalization.
#include "backends/fused/planner.h"
#include "base/error.h"

namespace convoy::fused {

EmitBackward emit_pool(Planner& to, int id, const Pool& op) {
  const Node& node = to.node(id);
  const int source = to.input(id);
  const bool chooses = op.kind == Pool::Kind::max && to.training() && to.wants_gradient(source);
  require(!chooses || op.kernel.height * op.kernel.width < 255,
          "{}: max pooling over a window of {}x{} has more elements than its choice can name (254): use a "
          "smaller window or another backend",
          node.name, op.kernel.height, op.kernel.width);
  const Id y = to.map(id, node.name);
  const Id choice = chooses ? to.map(id, node.name + ".choice", Type::u8) : -1;
  to.emit(PoolForward{op, to.value(source), y, choice});
  to.set_value(id, y);
  return [&to, id, source, op, choice] {
    if (!to.wants_gradient(source)) return;
    const Id dy = to.gradient(id), dx = to.like(to.value(source), to.node(source).name + ".gradient");
    to.emit(PoolBackward{op, dy, choice, dx});
    to.give_gradient(source, dx);
  };
}

EmitBackward emit_lrn(Planner& to, int id, const Lrn& op) {
  const int source = to.input(id);
  const Id x = to.value(source), y = to.map(id, to.node(id).name),
           scale = to.map(id, to.node(id).name + ".scale", Type::f32);
  to.emit(LrnForward{op, x, y, scale});
  to.set_value(id, y);
  return [&to, id, source, op, x, y, scale] {
    if (!to.wants_gradient(source)) return;
    const Id dy = to.gradient(id), dx = to.like(x, to.node(source).name + ".gradient");
    to.emit(LrnBackward{op, x, y, scale, dy, dx});
    to.give_gradient(source, dx);
  };
}

}  // namespace convoy::fused
