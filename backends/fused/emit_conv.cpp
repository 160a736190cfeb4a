// Convolutions and linear layers. Their filters are padded in both directions. A grouped convolution whose maps need
// padding becomes a dense one with its blocks on the diagonal: padding would tear its groups apart, and the shapes that
// networks have (multiples of 8) need none.
#include "backends/fused/planner.h"

namespace convoy::fused {
namespace {

struct Filter {
  Conv conv;         // as the library is to run it
  int dense_of = 1;  // groups that became blocks of a dense filter
  Tensor canonical, packed;
};

Filter filter_of(const Planner& to, int id, const Conv& op) {
  const Tensor& x = to.tensor(to.value(to.input(id)));
  const int outputs = op.outputs, padded = to.padded(outputs);
  const bool torn = op.groups > 1 && (x.c != x.channels || padded != outputs);
  Filter filter{op, torn ? op.groups : 1, {}, {}};
  filter.conv.outputs = padded;
  if (torn) filter.conv.groups = 1;
  filter.canonical.name = to.param_name(to.node(id).params[0]);
  filter.canonical.n = outputs;
  filter.canonical.h = op.kernel.height;
  filter.canonical.w = op.kernel.width;
  filter.canonical.c = filter.canonical.channels = x.channels / op.groups;
  filter.packed = filter.canonical;
  filter.packed.type = to.type();
  filter.packed.n = padded;
  filter.packed.c = x.c / filter.conv.groups;
  filter.packed.channels = x.channels / filter.conv.groups;
  filter.canonical.home = Tensor::Home::arena;
  return filter;
}

Id packed_weights(Planner& to, int id, const Filter& filter) {
  Tensor home = filter.canonical, copy = filter.packed;
  home.address = to.param_memory(to.node(id).params[0]).data();
  copy.home = Tensor::Home::persistent;
  const Id from = to.add(home), packed = to.add(copy);
  to.refresh(PackWeights{from, packed, filter.dense_of});
  return packed;
}

void write_bias_gradient(Planner& to, int id, Id dy) {
  if (to.node(id).params.size() < 2) return;
  const int param = to.node(id).params[1];
  const Id db = to.vector(id, to.param_name(param) + ".gradient");
  to.emit(BiasGradient{dy, db});
  to.emit(UnpackVectorGradient{{db}, to.param_grad(param)});
}

void write_weight_gradient(Planner& to, int id, const Filter& filter, Id dy) {
  Tensor home = filter.canonical, made = filter.packed;
  home.address = to.param_grad_memory(to.node(id).params[0]).data();
  const Id dw = to.add(made), gradient = to.add(home);
  const Folded folded = folded_into(to, to.input(id));
  to.emit(ConvBackwardWeights{filter.conv, to.value(to.input(id)), dy, dw, folded.scale, folded.shift});
  to.emit(UnpackWeightGradient{dw, gradient, filter.dense_of});
}

}  // namespace

Conv as_conv(const Planner& to, int id) {
  if (const auto* conv = std::get_if<Conv>(&to.node(id).op)) return *conv;
  const auto& op = std::get<Linear>(to.node(id).op);
  const Shape& from = to.node(to.input(id)).shape;
  return {op.outputs, {from.height, from.width}, {1, 1}, {0, 0}, 1, op.bias};
}

void write_conv(Planner& to, int id, Id y, const Ending& ending) {
  const Filter filter = filter_of(to, id, as_conv(to, id));
  to.emit(ConvForward{filter.conv, to.value(to.input(id)), packed_weights(to, id, filter), y, ending.scale,
                      ending.shift, ending.addend, ending.relu});
}

EmitBackward emit_conv(Planner& to, int id, const Conv& op) {
  const Node& node = to.node(id);
  if (to.goes_into_norm(id)) {
    to.note("fused into the batch norm that reads it");
    return {};
  }
  const int relu = to.relu_of(id);
  const Filter filter = filter_of(to, id, op);
  const Id x = to.value(to.input(id)), w = packed_weights(to, id, filter), y = to.map(id, node.name);
  const Id bias = node.params.size() > 1 ? to.param_vector(node.params[1], to.tensor(y).c) : -1;
  if (to.main_loop().counts(id))
    write_counting_conv(to, id, filter.conv, w, y);
  else
    to.emit(ConvForward{filter.conv, x, w, y, -1, bias, -1, relu >= 0});
  to.set_value(relu >= 0 ? relu : id, y);
  return [&to, id, filter, w] {
    const Id dy = to.gradient(id);
    const int source = to.input(id);
    if (to.wants_gradient(source) && !write_gradient_with_norm(to, id, filter.conv, dy, w)) {
      const Id sum = to.own_gradient(source);
      const Id dx = sum >= 0 ? sum : to.like(to.value(source), to.node(source).name + ".gradient");
      to.emit(ConvBackwardData{filter.conv, dy, w, dx, sum >= 0});
      if (sum < 0) to.give_gradient(source, dx);
    }
    write_weight_gradient(to, id, filter, dy);
    write_bias_gradient(to, id, dy);
  };
}

}  // namespace convoy::fused
