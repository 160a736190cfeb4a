// The planner's instructions of main-loop fusion (mainloop.h).
#include "backends/fused/planner.h"
#include "base/error.h"

namespace convoy::fused {
namespace {

double elements_of(const Planner& to, int id) {
  const Shape& shape = to.node(id).shape;
  return static_cast<double>(to.program().images) * shape.height * shape.width;
}

// Statistics out of the convolution's sums, for whoever normalizes its output.
void write_finalize(Planner& to, int id) {
  const Node& node = to.node(id);
  const auto& op = std::get<BatchNorm>(node.op);
  MainLoop::Norm& norm = to.main_loop().norm(id);
  const Id x = to.value(to.input(id));
  const int channels = to.tensor(x).c;
  norm.of = {x, to.vector(id, node.name + ".mean"), to.vector(id, node.name + ".inv_std"),
             to.param_vector(node.params[0], channels), to.param_vector(node.params[1], channels)};
  const Id variance = to.vector(id, node.name + ".variance");
  if (to.main_loop().folded(id)) {
    norm.to_scale = to.vector(id, node.name + ".scale", to.type());
    norm.to_shift = to.vector(id, node.name + ".shift", to.type());
  }
  const double count = elements_of(to, id);
  to.emit(NormFinalize{op.epsilon, count, norm.forward.first, norm.forward.second, norm.of.scale,
                       norm.of.shift, norm.of.mean, norm.of.inv_std, variance, norm.to_scale, norm.to_shift});
  to.emit(NormStatistics{{norm.of.mean},
                         {variance},
                         to.stat_grad(node.stats[0]),
                         to.stat_grad(node.stats[1]),
                         count,
                         !op.unbiased_running});
}

// dx and the parameters' gradients, g and its sums being there.
void write_apply(Planner& to, int id, Id g) {
  const Node& node = to.node(id);
  const MainLoop::Norm& norm = to.main_loop().norm(id);
  ensure(norm.backward.first >= 0);
  const int source = to.input(id);
  if (to.wants_gradient(source)) {
    const Id dx = to.like(norm.of.x, to.node(source).name + ".gradient");
    to.emit(NormApply{elements_of(to, id), norm.of, g, norm.backward.first, norm.backward.second, dx});
    to.give_gradient(source, dx);
  }
  to.emit(UnpackVectorGradient{{norm.backward.first}, to.param_grad(node.params[0])});
  to.emit(UnpackVectorGradient{{norm.backward.second}, to.param_grad(node.params[1])});
}

MainLoop::Sums new_sums(Planner& to, int id) {
  const std::string& name = to.node(id).name;
  return {to.vector(id, name + ".weight.gradient"), to.vector(id, name + ".bias.gradient")};
}

// The library's backward pass, where no convolution took the sums; d_addend: what the mask let through.
void write_library_backward(Planner& to, int id, Id dy, Id mask, Id d_addend) {
  MainLoop::Norm& norm = to.main_loop().norm(id);
  norm.backward = new_sums(to, id);
  const int source = to.input(id);
  NormBackward op{};
  op.count = to.program().images;
  op.dy = dy;
  op.mask = mask;
  op.x = norm.of.x;
  op.mean = norm.of.mean;
  op.inv_std = norm.of.inv_std;
  op.scale = norm.of.scale;
  op.dx = to.like(norm.of.x, to.node(source).name + ".gradient");
  op.d_addend = d_addend;
  op.dscale = norm.backward.first;
  op.dshift = norm.backward.second;
  to.emit(op);
  if (to.wants_gradient(source)) to.give_gradient(source, op.dx);
  const Node& node = to.node(id);
  to.emit(UnpackVectorGradient{{norm.backward.first}, to.param_grad(node.params[0])});
  to.emit(UnpackVectorGradient{{norm.backward.second}, to.param_grad(node.params[1])});
}

void write_backward(Planner& to, int id) {  // of a norm by itself
  const Id dy = to.gradient(id);
  if (to.main_loop().norm(id).backward.first >= 0)
    write_apply(to, id, dy);
  else
    write_library_backward(to, id, dy, -1, -1);
}

EmitBackward write_folded(Planner& to, int id) {
  const int relu = to.relu_of(id);
  to.main_loop().end(relu, {.norm = id});
  to.set_value(relu, to.value(to.input(id)));  // whoever reads it normalizes it
  return [&to, id] { write_backward(to, id); };
}

}  // namespace

void write_counting_conv(Planner& to, int id, const Conv& conv, Id w, Id y) {
  const int source = to.input(id), norm = to.readers(id)[0];
  const MainLoop::Sums sums{to.vector(norm, to.node(norm).name + ".sum"),
                            to.vector(norm, to.node(norm).name + ".squares")};
  to.main_loop().norm(norm).forward = sums;
  const Folded folded = folded_into(to, source);
  to.emit(ConvStatistics{conv, to.value(source), w, y, sums.first, sums.second, folded.scale, folded.shift});
}

Folded folded_into(Planner& to, int source) {
  const auto ending = to.main_loop().ending(source);
  if (!ending) return {};
  const MainLoop::Norm& norm = to.main_loop().norm(ending->norm);
  return {norm.to_scale, norm.to_shift};
}

bool write_gradient_with_norm(Planner& to, int id, const Conv& conv, Id dy, Id w) {
  const int source = to.input(id);
  const auto ending = to.main_loop().ending(source);
  if (!ending || (!to.main_loop().folded(ending->norm) && to.main_loop().closing(source) != id)) return false;
  MainLoop::Norm& norm = to.main_loop().norm(ending->norm);
  norm.backward = new_sums(to, ending->norm);
  ConvBackwardNorm op{};
  op.conv = conv;
  op.dy = dy;
  op.w = w;
  op.norm = norm.of;
  op.dscale = norm.backward.first;
  op.dshift = norm.backward.second;
  op.residual = ending->residual;
  if (ending->other >= 0) {
    MainLoop::Norm& other = to.main_loop().norm(ending->other);
    other.backward = new_sums(to, ending->other);
    op.other = other.of;
    op.other_dscale = other.backward.first;
    op.other_dshift = other.backward.second;
  }
  op.addend = to.take_gradient(source);
  op.g = to.like(to.value(source), to.node(source).name + ".gradient");
  to.emit(op);
  to.give_gradient(source, op.g);
  return true;
}

EmitBackward write_waiting_norm(Planner& to, int id) {
  write_finalize(to, id);
  return [&to, id] { write_backward(to, id); };
}

EmitBackward write_counted_norm(Planner& to, int id, int other, int tail, bool relu) {
  write_finalize(to, id);
  MainLoop& plan = to.main_loop();
  if (plan.folded(id)) return write_folded(to, id);
  const bool waits = other >= 0 && plan.waits(other);
  NormJoin op{};
  op.norm = plan.norm(id).of;
  if (waits) op.other = plan.norm(other).of;
  if (other >= 0 && !waits) op.residual = to.value(other);
  op.y = to.map(tail, to.node(tail).name);
  op.relu = relu;
  const bool closed = relu && plan.closing(tail) >= 0;
  if (closed) plan.end(tail, {id, waits ? other : -1, op.residual});
  if (relu && !closed) op.mask = to.map(id, to.node(id).name + ".mask", Type::bits);
  to.emit(op);
  to.set_value(tail, op.y);
  return [&to, id, other, op, closed] {
    if (closed || other < 0) {
      const Id g = to.gradient(id);
      if (closed)
        write_apply(to, id, g);
      else
        write_library_backward(to, id, g, op.mask, -1);
      if (other >= 0 && to.wants_gradient(other)) to.give_gradient(other, g);
      return;
    }
    const Id dy = to.gradient(id);
    const Id d_addend = to.wants_gradient(other) ? to.like(dy, to.node(other).name + ".gradient") : -1;
    write_library_backward(to, id, dy, op.mask, d_addend);
    if (d_addend >= 0) to.give_gradient(other, d_addend);
  };
}

}  // namespace convoy::fused
