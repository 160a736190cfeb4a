#include "backends/fused/planner.h"

namespace convoy::fused {

EmitBackward emit_input(Planner& to, int id) {
  const Id packed = to.map(id, to.node(id).name);
  to.emit(PackImages{to.images(), packed});
  to.set_value(id, packed);
  return {};
}

EmitBackward emit_relu(Planner& to, int id) {
  const int source = to.input(id);
  const bool fused = to.relu_of(source) == id;
  const Op& below = to.node(source).op;
  if (fused) {
    to.note("fused into " + to.node(source).name);
  } else {
    const Id y = to.map(id, to.node(id).name);
    to.emit(ReluForward{to.value(source), y});
    to.set_value(id, y);
  }
  // A batch norm's backward operation masks by itself.
  const bool masked = fused && !std::holds_alternative<Conv>(below) && !std::holds_alternative<Linear>(below);
  return [&to, id, source, masked] {
    if (masked) to.note("fused into " + to.node(source).name);
    if (!to.wants_gradient(source)) return;
    to.give_gradient(source, masked ? to.gradient(id) : to.gradient(id, to.value(id)));
  };
}

EmitBackward emit_add(Planner& to, int id) {
  const std::vector<int>& inputs = to.node(id).inputs;
  const int norm = to.fused_norm(id), relu = to.relu_of(id);
  if (norm >= 0) {
    const int other = inputs[0] == norm ? inputs[1] : inputs[0];
    const EmitBackward norm_backward = write_norm(to, norm, other, relu >= 0 ? relu : id, relu >= 0);
    return [&to, id, norm, norm_backward] {
      to.give_gradient(norm, to.gradient(id));
      norm_backward();
    };
  }
  const Id y = to.map(id, to.node(id).name);
  to.emit(Sum{{to.value(inputs[0]), to.value(inputs[1])}, -1, y});
  to.set_value(id, y);
  return [&to, id] {
    to.note("one gradient for both inputs");
    const Id gradient = to.gradient(id);
    for (int input : to.node(id).inputs)
      if (to.wants_gradient(input)) to.give_gradient(input, gradient);
  };
}

EmitBackward emit_dropout(Planner& to, int id, const Dropout& op) {
  const int source = to.input(id);
  if (!to.training()) {
    to.note("no effect");
    to.set_value(id, to.value(source));
    return {};
  }
  const Id y = to.map(id, to.node(id).name);
  to.emit(DropoutMask{op.p, id, to.value(source), y});
  to.set_value(id, y);
  return [&to, id, source, op] {
    if (!to.wants_gradient(source)) return;
    const Id dy = to.gradient(id), dx = to.like(dy, to.node(source).name + ".gradient");
    to.emit(DropoutMask{op.p, id, dy, dx});
    to.give_gradient(source, dx);
  };
}

}  // namespace convoy::fused
