#include "backends/fused/planner.h"

#include <algorithm>
#include <utility>

#include "backends/fused/bodies_pointwise.h"
#include "base/error.h"

namespace convoy::fused {
namespace {

Type type_of(Precision precision) {
  switch (precision) {
    case Precision::f32:
    case Precision::tf32:
      return Type::f32;
    case Precision::bf16:
      return Type::bf16;
    case Precision::fp16:
      return Type::f16;
  }
  return Type::f32;
}

bool is_loss(const Node& node) { return std::holds_alternative<SoftmaxLoss>(node.op); }
bool is_product(const Node& node) {
  return std::holds_alternative<Conv>(node.op) || std::holds_alternative<Linear>(node.op);
}
bool is_norm(const Node& node) { return std::holds_alternative<BatchNorm>(node.op); }

}  // namespace

Planner::Planner(const Program& program, Arena& arena, const CompileOptions& options, Precision precision,
                 int align, Fusion fusion)
    : program_(program),
      arena_(arena),
      options_(options),
      type_(type_of(precision)),
      align_(align),
      main_loop_(*this, fusion) {
  require(align > 0, "internal error: channels padded to multiples of {}: please report it", align);
  ensure(arena.layout().elements == program.layout.elements);
  const size_t nodes = program.graph.nodes.size();
  recipe_.precision = precision;
  recipe_.values.assign(nodes, -1);
  recipe_.gradients.assign(nodes, -1);
  recipe_.notes.resize(program.steps.size());
  readers_.resize(nodes);
  contributions_.resize(nodes);
  backward_.resize(nodes);
  for (size_t n = 0; n < nodes; ++n)
    for (int from : program.graph.nodes[n].inputs)
      readers_[static_cast<size_t>(from)].push_back(static_cast<int>(n));
}

bool Planner::only_reader(int id, int reader) const {
  const auto& readers = readers_[static_cast<size_t>(id)];
  return readers.size() == 1 && readers[0] == reader;
}

int Planner::sole_relu(int id) const {
  const auto& readers = readers_[static_cast<size_t>(id)];
  const bool one = fuses() && readers.size() == 1 && std::holds_alternative<Relu>(node(readers[0]).op);
  return one ? readers[0] : -1;
}

int Planner::relu_of(int id) const {
  const bool takes = is_product(node(id)) || is_norm(node(id)) ||
                     (std::holds_alternative<Add>(node(id).op) && fused_norm(id) >= 0);
  return takes ? sole_relu(id) : -1;
}

int Planner::fused_norm(int add) const {
  // In training only together with a ReLU, for which the libraries have one operation forward and one backward.
  if (!fuses() || (training() && sole_relu(add) < 0)) return -1;
  for (int from : node(add).inputs)
    if (is_norm(node(from)) && only_reader(from, add)) return from;
  return -1;
}

int Planner::fused_add(int norm) const {
  const auto& readers = readers_[static_cast<size_t>(norm)];
  if (readers.size() != 1 || !std::holds_alternative<Add>(node(readers[0]).op)) return -1;
  return fused_norm(readers[0]) == norm ? readers[0] : -1;
}

bool Planner::goes_into_norm(int conv) const {
  const auto& readers = readers_[static_cast<size_t>(conv)];
  return fuses() && !training() && is_product(node(conv)) && readers.size() == 1 && is_norm(node(readers[0]));
}

void Planner::note(std::string text) { recipe_.notes[static_cast<size_t>(step_)] = std::move(text); }

Id Planner::value(int id) const {
  const Id tensor = recipe_.values[static_cast<size_t>(id)];
  ensure(tensor >= 0);
  return tensor;
}

void Planner::give_gradient(int id, Id tensor) {
  contributions_[static_cast<size_t>(id)].push_back(tensor);
  given_.resize(recipe_.tensors.size());
  ++given_[static_cast<size_t>(tensor)];
}

Id Planner::own_gradient(int id) const {
  const auto& parts = contributions_[static_cast<size_t>(id)];
  const bool alone = fuses() && parts.size() == 1 && given_[static_cast<size_t>(parts[0])] == 1;
  return alone ? parts[0] : -1;  // of several parts the first two would no longer be added first
}

Id Planner::gradient(int id) {
  auto& parts = contributions_[static_cast<size_t>(id)];
  ensure(!parts.empty());
  if (parts.size() > 1) parts = {gradient(id, -1)};
  recipe_.gradients[static_cast<size_t>(id)] = parts[0];
  return parts[0];
}

Id Planner::take_gradient(int id) {
  auto& parts = contributions_[static_cast<size_t>(id)];
  if (parts.empty()) return -1;
  const Id sum = gradient(id);
  parts.clear();
  return sum;
}

Id Planner::gradient(int id, Id positive) {
  if (!fuses() && positive >= 0) gradient(id);  // seen by itself
  std::vector<Id> parts = contributions_[static_cast<size_t>(id)];
  ensure(!parts.empty());
  const std::string name = node(id).name + ".gradient";
  while (parts.size() > most_parts) {
    const auto end = parts.begin() + most_parts;
    const Id sum = like(parts[0], name);
    emit(Sum{{parts.begin(), end}, -1, sum});
    parts.erase(parts.begin(), end);
    parts.insert(parts.begin(), sum);
  }
  const Id sum = like(parts[0], name);
  emit(Sum{parts, positive, sum});
  return sum;
}

void Planner::emit_forward(int id) {
  struct Visitor {
    Planner& to;
    int id;
    EmitBackward operator()(const Input&) const { return emit_input(to, id); }
    EmitBackward operator()(const Conv&) const { return emit_conv(to, id, as_conv(to, id)); }
    EmitBackward operator()(const BatchNorm& op) const { return emit_norm(to, id, op); }
    EmitBackward operator()(const Relu&) const { return emit_relu(to, id); }
    EmitBackward operator()(const Add&) const { return emit_add(to, id); }
    EmitBackward operator()(const Pool& op) const { return emit_pool(to, id, op); }
    EmitBackward operator()(const Lrn& op) const { return emit_lrn(to, id, op); }
    EmitBackward operator()(const Linear&) const { return emit_conv(to, id, as_conv(to, id)); }
    EmitBackward operator()(const Dropout& op) const { return emit_dropout(to, id, op); }
    EmitBackward operator()(const SoftmaxLoss& op) const { return emit_loss(to, id, op); }
  };
  backward_[static_cast<size_t>(id)] = std::visit(Visitor{*this, id}, node(id).op);
}

void Planner::emit_backward(int id) {
  if (recipe_.top_gradient >= 0 && id + 1 == static_cast<int>(program_.graph.nodes.size())) {
    const Id top = map(id, node(id).name + ".gradient");
    emit(TopGradient{recipe_.top_gradient, top});
    give_gradient(id, top);
  }
  if (const EmitBackward& write = backward_[static_cast<size_t>(id)]) write();
}

// After each bucket's step its gradients are in the arena: batch norms that run earlier than their own step are no matter.
void Planner::find_buckets() {
  if (!training()) return;
  for (const Bucket& bucket : program_.layout.buckets) {
    const auto end = std::find_if(recipe_.body.begin(), recipe_.body.end(),
                                  [&](const Instruction& i) { return i.step > bucket.ready_step; });
    recipe_.bucket_end.push_back(static_cast<int>(end - recipe_.body.begin()));
  }
}

// A fused plan shows the answer and the gradient at the input; the rest is overwritten as soon as it may be.
void Planner::hide() {
  if (!fuses()) return;
  const auto& nodes = program_.graph.nodes;
  const size_t last = nodes.size() - 1;
  const size_t answer = is_loss(nodes[last]) ? static_cast<size_t>(nodes[last].inputs[0]) : last;
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (n != answer) recipe_.values[n] = -1;
    if (n != 0) recipe_.gradients[n] = -1;
  }
}

Recipe Planner::finish() {
  add_batch_tensors();
  for (size_t s = 0; s < program_.steps.size(); ++s) {
    step_ = static_cast<int>(s);
    const Step step = program_.steps[s];
    step.pass == Pass::forward ? emit_forward(step.node) : emit_backward(step.node);
  }
  if (training() && program_.input_gradient) gradient(0);
  find_buckets();
  hide();
  return std::move(recipe_);
}

Recipe plan(const Program& program, Arena& arena, const CompileOptions& options, Precision precision,
            int align, Fusion fusion) {
  return Planner(program, arena, options, precision, align, fusion).finish();
}

}  // namespace convoy::fused
