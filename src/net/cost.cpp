#include "net/cost.h"

namespace convoy {
namespace {

int64_t elements_of(const Graph& graph, const std::vector<int>& params) {
  int64_t sum = 0;
  for (int p : params) sum += graph.params[static_cast<size_t>(p)].elements();
  return sum;
}

// One image: every output element is a dot product as long as a row of the weights.
int64_t multiply_adds(const Graph& graph, const Node& node) {
  if (!std::holds_alternative<Conv>(node.op) && !std::holds_alternative<Linear>(node.op)) return 0;
  const Param& weight = graph.params[static_cast<size_t>(node.params[0])];
  return node.shape.elements() * (weight.elements() / weight.shape[0]);
}

struct PerElement {
  int64_t forward, backward;
};

// Operations per output element (per input element where the two differ, as noted).
struct Elementwise {
  PerElement operator()(const Input&) const { return {0, 0}; }
  PerElement operator()(const Conv& conv) const { return {conv.bias, conv.bias}; }
  PerElement operator()(const Linear& linear) const { return {linear.bias, linear.bias}; }
  PerElement operator()(const BatchNorm& norm) const {  // mean 1, variance 3, normalize 2, gamma and beta 2
    return {norm.affine ? 8 : 6, norm.affine ? 11 : 9};
  }
  PerElement operator()(const Relu&) const { return {1, 1}; }
  PerElement operator()(const Add&) const { return {1, 0}; }
  PerElement operator()(const Pool& pool) const {
    const int64_t window = int64_t{pool.kernel.height} * pool.kernel.width;
    return {window, pool.kind == Pool::Kind::max ? 1 : window};
  }
  PerElement operator()(const Lrn& lrn) const { return {2 * lrn.size + 4, 4 * lrn.size + 6}; }
  PerElement operator()(const Dropout&) const { return {1, 1}; }
  PerElement operator()(const SoftmaxLoss&) const { return {4, 2}; }  // per class
};

}  // namespace

int64_t multiply_adds(const Graph& graph) {
  int64_t sum = 0;
  for (const Node& node : graph.nodes) sum += multiply_adds(graph, node);
  return sum;
}

Cost cost_of(const Program& program, Step step) {
  const auto& nodes = program.graph.nodes;
  const Node& node = nodes[static_cast<size_t>(step.node)];
  const bool loss = std::holds_alternative<SoftmaxLoss>(node.op);
  int64_t sources = 0, wanted = 0, inputs_wanted = 0;
  for (int input : node.inputs) {
    const int64_t elements = nodes[static_cast<size_t>(input)].shape.elements();
    const bool needed = program.gradients[static_cast<size_t>(input)].first >= 0;
    sources += elements;
    wanted += needed ? elements : 0;
    inputs_wanted += needed;
  }
  const int64_t params = elements_of(program.graph, node.params);
  const int64_t macs = multiply_adds(program.graph, node);
  const int64_t outputs = node.shape.elements(), counted = loss ? sources : outputs;
  const PerElement rate = std::visit(Elementwise{}, node.op);
  const int64_t images = program.images;
  const auto bytes = static_cast<int64_t>(sizeof(float));
  if (step.node == 0) return {};
  if (step.pass == Pass::forward)
    return {images * (2 * macs + rate.forward * counted), bytes * (images * (sources + outputs) + params)};
  const bool has_weights = macs > 0;
  int64_t read = loss ? 0 : outputs;
  if (backward_reads_input(node.op)) read += sources;
  if (backward_reads_output(node.op)) read += outputs;
  const int64_t products = has_weights ? (inputs_wanted + 1) * 2 * macs : 0;
  // Weights are read for the data gradient and their gradients written.
  const int64_t weight_traffic = has_weights ? params * (1 + (inputs_wanted > 0)) : 2 * params;
  return {images * (products + rate.backward * counted), bytes * (images * (read + wanted) + weight_traffic)};
}

PassCosts cost_of(const Program& program) {
  PassCosts sum;
  for (const Step& step : program.steps)
    (step.pass == Pass::forward ? sum.forward : sum.backward) += cost_of(program, step);
  return sum;
}

}  // namespace convoy
