// Batch norm over groups of images, one operation a group, with the Add and the ReLU that follow it. In inference it is a
// scale and a shift, made anew when the weights change, and part of the convolution below it where that has no other reader.
#include "backends/fused/planner.h"

namespace convoy::fused {
namespace {

struct Groups {
  int count, images;
  std::vector<Id> mean, inv_std, variance;  // by group
};

std::vector<Id> vectors(Planner& to, int id, const char* what, int count) {
  std::vector<Id> made;
  for (int i = 0; i < count; ++i) made.push_back(to.vector(id, to.node(id).name + what));
  return made;
}

Groups groups_of(Planner& to, int id, const BatchNorm& op) {
  const int images = images_of(to.program(), op), count = to.program().images / images;
  return {count, images, vectors(to, id, ".mean", count), vectors(to, id, ".inv_std", count),
          vectors(to, id, ".variance", count)};
}

void write_forward(Planner& to, int id, const Groups& groups, NormForward op) {
  const Node& node = to.node(id);
  const auto& norm = std::get<BatchNorm>(node.op);
  op.epsilon = norm.epsilon;
  op.count = groups.images;
  for (int g = 0; g < groups.count; ++g) {
    const auto i = static_cast<size_t>(g);
    op.first = g * groups.images;
    op.mean = groups.mean[i];
    op.inv_std = groups.inv_std[i];
    op.variance = groups.variance[i];
    to.emit(op);
  }
  const double elements = static_cast<double>(groups.images) * node.shape.height * node.shape.width;
  to.emit(NormStatistics{groups.mean, groups.variance, to.stat_grad(node.stats[0]),
                         to.stat_grad(node.stats[1]), elements, !norm.unbiased_running});
}

void write_backward(Planner& to, int id, const Groups& groups, NormBackward op) {
  const Node& node = to.node(id);
  const std::vector<Id> dscale = vectors(to, id, ".weight.gradient", groups.count),
                        dshift = vectors(to, id, ".bias.gradient", groups.count);
  op.count = groups.images;
  for (int g = 0; g < groups.count; ++g) {
    const auto i = static_cast<size_t>(g);
    op.first = g * groups.images;
    op.mean = groups.mean[i];
    op.inv_std = groups.inv_std[i];
    op.dscale = dscale[i];
    op.dshift = dshift[i];
    to.emit(op);
  }
  if (node.params.empty()) return;
  to.emit(UnpackVectorGradient{dscale, to.param_grad(node.params[0])});
  to.emit(UnpackVectorGradient{dshift, to.param_grad(node.params[1])});
}

EmitBackward write_training(Planner& to, int id, int other, int tail, bool relu) {
  const Node& node = to.node(id);
  const Groups groups = groups_of(to, id, std::get<BatchNorm>(node.op));
  const Id x = to.value(to.input(id)), y = to.map(tail, to.node(tail).name);
  const bool affine = !node.params.empty();
  const int channels = to.tensor(y).c;
  NormForward forward{};
  forward.x = x;
  forward.scale = affine ? to.param_vector(node.params[0], channels) : -1;
  forward.shift = affine ? to.param_vector(node.params[1], channels) : -1;
  forward.addend = other >= 0 ? to.value(other) : -1;
  forward.y = y;
  forward.mask = relu ? to.map(id, node.name + ".mask", Type::bits) : -1;
  write_forward(to, id, groups, forward);
  to.set_value(tail, y);
  return [&to, id, other, groups, forward] {
    const int source = to.input(id);
    NormBackward backward{};
    backward.dy = to.gradient(id);
    backward.mask = forward.mask;
    backward.x = forward.x;
    backward.scale = forward.scale;
    backward.dx = to.like(forward.x, to.node(source).name + ".gradient");
    if (other >= 0 && to.wants_gradient(other)) {
      backward.d_addend = to.like(backward.dy, to.node(other).name + ".gradient");
      to.give_gradient(other, backward.d_addend);
    }
    write_backward(to, id, groups, backward);
    if (to.wants_gradient(source)) to.give_gradient(source, backward.dx);
  };
}

void write_inference(Planner& to, int id, int other, int tail, bool relu) {
  const Node& node = to.node(id);
  const int source = to.input(id);
  const bool folded = to.goes_into_norm(source);
  const Id scale = to.vector(id, node.name + ".scale", Tensor::Home::persistent),
           shift = to.vector(id, node.name + ".shift", Tensor::Home::persistent);
  NormFold fold{};
  fold.epsilon = std::get<BatchNorm>(node.op).epsilon;
  fold.scale = node.params.empty() ? -1 : to.param(node.params[0]);
  fold.shift = node.params.empty() ? -1 : to.param(node.params[1]);
  fold.mean = to.stat(node.stats[0]);
  fold.variance = to.stat(node.stats[1]);
  fold.to_scale = scale;
  fold.to_shift = shift;
  if (folded && to.node(source).params.size() > 1) fold.bias = to.param(to.node(source).params[1]);
  to.refresh(fold);
  const Id y = to.map(tail, to.node(tail).name), addend = other >= 0 ? to.value(other) : -1;
  if (folded)
    write_conv(to, source, y, {scale, shift, addend, relu});
  else
    to.emit(ScaleShift{to.value(source), scale, shift, addend, y, relu});
  to.set_value(tail, y);
}

}  // namespace

EmitBackward write_norm(Planner& to, int id, int other, int tail, bool relu) {
  if (to.main_loop().counted(id)) return write_counted_norm(to, id, other, tail, relu);
  if (to.training()) return write_training(to, id, other, tail, relu);
  write_inference(to, id, other, tail, relu);
  return {};
}

EmitBackward emit_norm(Planner& to, int id, const BatchNorm&) {
  if (const int add = to.fused_add(id); add >= 0) {
    to.note("fused into " + to.node(add).name);
    return [&to, add] { to.note("fused into " + to.node(add).name); };
  }
  if (to.main_loop().waits(id)) return write_waiting_norm(to, id);
  const int relu = to.relu_of(id);
  return write_norm(to, id, -1, relu >= 0 ? relu : id, relu >= 0);
}

}  // namespace convoy::fused
