#include "net/graph.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace convoy {
namespace {

// Floor mode, as in PyTorch; `what` and `axis` are for the sentence when the window does not fit.
int swept(int size, int kernel, int stride, int padding, const std::string& what, const char* axis) {
  require(kernel > 0 && stride > 0 && padding >= 0,
          "{}: kernel {} and stride {} must be positive and padding {} not negative", what, kernel, stride,
          padding);
  require(size + 2 * padding >= kernel,
          "{}: its kernel of {} does not fit into the {} {} with padding {}; use a larger input", what,
          kernel, axis, size, padding);
  return (size + 2 * padding - kernel) / stride + 1;
}

Shape swept(Shape from, int channels, Extent kernel, Extent stride, Extent padding, const std::string& what) {
  return {channels, swept(from.height, kernel.height, stride.height, padding.height, what, "height"),
          swept(from.width, kernel.width, stride.width, padding.width, what, "width")};
}

}  // namespace

const char* name_of(const Op& op) {
  static constexpr const char* names[] = {"input", "conv", "batchnorm", "relu",    "add",
                                          "pool",  "lrn",  "linear",    "dropout", "softmax_loss"};
  static_assert(std::size(names) == std::variant_size_v<Op>);
  return names[op.index()];
}

int64_t Param::elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

int64_t Graph::parameters() const {
  return std::accumulate(params.begin(), params.end(), int64_t{0},
                         [](int64_t sum, const Param& p) { return sum + p.elements(); });
}

GraphBuilder::GraphBuilder(std::string name, Shape input) {
  graph_.name = std::move(name);
  require(input.channels > 0 && input.height > 0 && input.width > 0,
          "{}: the input must have at least one channel and one pixel, not {}x{}x{}", graph_.name,
          input.channels, input.height, input.width);
  push("input", Input{input}, {}, input);
}

const Shape& GraphBuilder::input_of(const std::string& name, int src) const {
  require(src >= 0 && src < static_cast<int>(graph_.nodes.size()),
          "{}: reads node {}, which is not there yet", name, src);
  return shape(src);
}

int GraphBuilder::push(std::string name, Op op, std::vector<int> inputs, Shape shape) {
  for (const Node& node : graph_.nodes) require(node.name != name, "{}: two nodes have this name", name);
  graph_.nodes.push_back({std::move(name), op, std::move(inputs), shape, {}, {}});
  return static_cast<int>(graph_.nodes.size()) - 1;
}

int GraphBuilder::param(std::string name, std::vector<int64_t> shape, Role role, Init init) {
  graph_.params.push_back({std::move(name), std::move(shape), role, init});
  return static_cast<int>(graph_.params.size()) - 1;
}

int GraphBuilder::conv(const std::string& name, int src, Conv op, Init weight, Init bias) {
  const Shape from = input_of(name, src);
  require(op.outputs > 0 && op.groups > 0 && from.channels % op.groups == 0 && op.outputs % op.groups == 0,
          "{}: {} groups must divide its {} input and {} output channels", name, op.groups, from.channels,
          op.outputs);
  const int node = push(name, op, {src}, swept(from, op.outputs, op.kernel, op.stride, op.padding, name));
  auto& params = graph_.nodes.back().params;
  params.push_back(param(name + ".weight",
                         {op.outputs, from.channels / op.groups, op.kernel.height, op.kernel.width},
                         Role::weight, weight));
  if (op.bias) params.push_back(param(name + ".bias", {op.outputs}, Role::bias, bias));
  return node;
}

int GraphBuilder::batchnorm(const std::string& name, int src, BatchNorm op, float gamma) {
  require(op.epsilon > 0 && op.keep >= 0 && op.keep <= 1,
          "{}: epsilon {} must be positive and keep {} between 0 and 1", name, op.epsilon, op.keep);
  require(op.group >= 0, "{}: a batch norm group of {} images: give a number above 0, or 0 for all", name,
          op.group);
  const int channels = input_of(name, src).channels;
  const int node = push(name, op, {src}, input_of(name, src));
  Node& made = graph_.nodes.back();
  if (op.affine)
    made.params = {param(name + ".weight", {channels}, Role::norm_scale, {Init::Kind::constant, gamma}),
                   param(name + ".bias", {channels}, Role::norm_shift, {})};
  const int mean = static_cast<int>(graph_.stats.size());
  graph_.stats.push_back({name + ".running_mean", channels, 0.0f, op.keep, op.first_worker});
  graph_.stats.push_back({name + ".running_var", channels, 1.0f, op.keep, op.first_worker});
  made.stats = {mean, mean + 1};
  return node;
}

int GraphBuilder::relu(const std::string& name, int src) {
  return push(name, Relu{}, {src}, input_of(name, src));
}

int GraphBuilder::add(const std::string& name, int a, int b) {
  const Shape x = input_of(name, a), y = input_of(name, b);
  require(x == y, "{}: cannot add {}x{}x{} and {}x{}x{}", name, x.channels, x.height, x.width, y.channels,
          y.height, y.width);
  return push(name, Add{}, {a, b}, x);
}

int GraphBuilder::pool(const std::string& name, int src, Pool op) {
  require(2 * op.padding.height <= op.kernel.height && 2 * op.padding.width <= op.kernel.width,
          "{}: padding {}x{} is more than half of the kernel {}x{}, so some windows would hold no pixel",
          name, op.padding.height, op.padding.width, op.kernel.height, op.kernel.width);
  const Shape from = input_of(name, src);
  return push(name, op, {src}, swept(from, from.channels, op.kernel, op.stride, op.padding, name));
}

int GraphBuilder::lrn(const std::string& name, int src, Lrn op) {
  require(op.size > 0 && op.size % 2 == 1, "{}: the window of {} channels must be odd", name, op.size);
  return push(name, op, {src}, input_of(name, src));
}

int GraphBuilder::linear(const std::string& name, int src, Linear op, Init weight, Init bias) {
  require(op.outputs > 0, "{}: needs at least one output", name);
  const int64_t inputs = input_of(name, src).elements();
  const int node = push(name, op, {src}, {op.outputs, 1, 1});
  auto& params = graph_.nodes.back().params;
  params.push_back(param(name + ".weight", {op.outputs, inputs}, Role::weight, weight));
  if (op.bias) params.push_back(param(name + ".bias", {op.outputs}, Role::bias, bias));
  return node;
}

int GraphBuilder::dropout(const std::string& name, int src, float p) {
  require(p >= 0 && p < 1, "{}: the probability of dropping must lie in [0, 1), not {}", name, p);
  return push(name, Dropout{p}, {src}, input_of(name, src));
}

int GraphBuilder::softmax_loss(const std::string& name, int src, float smoothing) {
  const Shape from = input_of(name, src);
  require(from.height == 1 && from.width == 1, "{}: wants one number a class, not a map of {}x{}", name,
          from.height, from.width);
  require(from.channels >= 2, "{}: needs at least two classes, got {}", name, from.channels);
  require(smoothing >= 0 && smoothing < 1, "{}: label smoothing must lie in [0, 1), not {}", name, smoothing);
  return push(name, SoftmaxLoss{smoothing}, {src}, {1, 1, 1});
}

Graph GraphBuilder::finish() {
  std::vector<bool> read(graph_.nodes.size(), false);
  for (const Node& node : graph_.nodes)
    for (int input : node.inputs) {
      read[static_cast<size_t>(input)] = true;
      const Node& source = graph_.nodes[static_cast<size_t>(input)];
      require(!std::holds_alternative<SoftmaxLoss>(source.op), "{}: reads the loss {}, which must be last",
              node.name, source.name);
    }
  for (size_t n = 0; n + 1 < read.size(); ++n)
    require(read[n], "{}: nothing reads its output; only the last node of a network may be unread",
            graph_.nodes[n].name);
  return std::move(graph_);
}

}  // namespace convoy
