#include "interop/onnx.h"

#include <array>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "interop/protobuf.h"

namespace convoy {
namespace {

using protobuf::Message;

constexpr int64_t opset = 13, ir_version = 7;
constexpr int64_t type_float = 1, attribute_float = 1, attribute_int = 2, attribute_ints = 7;
constexpr uint64_t largest_model = (uint64_t{1} << 31) - 1;  // of any protobuf message

Message attribute(const char* name, int64_t value) {
  return Message().bytes(1, name).integer(3, value).integer(20, attribute_int);
}
Message attribute(const char* name, float value) {
  return Message().bytes(1, name).real(2, value).integer(20, attribute_float);
}
Message attribute(const char* name, const std::vector<int64_t>& values) {
  Message made = Message().bytes(1, name);
  for (const int64_t value : values) made.integer(8, value);
  return made.integer(20, attribute_ints);
}

Message value_info(const char* name, const std::vector<int64_t>& extents) {
  Message shape = Message().message(1, Message().bytes(2, "N"));
  for (const int64_t extent : extents) shape.message(1, Message().integer(1, extent));
  const Message tensor = Message().integer(1, type_float).message(2, shape);
  return Message().bytes(1, name).message(2, Message().message(1, tensor));
}

class Writer {
 public:
  Writer(const Graph& graph, Arena& arena) : graph_(graph), arena_(arena) {}

  // A GraphProto.
  Message write() {
    for (const Node& node : graph_.nodes) {
      now_ = &node;
      name_of_.push_back(std::visit(*this, node.op));
    }
    for (size_t p = 0; p < graph_.params.size(); ++p)
      initializer(graph_.params[p].name, graph_.params[p].shape, arena_.param(static_cast<int>(p)));
    for (size_t s = 0; s < graph_.stats.size(); ++s)
      initializer(graph_.stats[s].name, {graph_.stats[s].channels}, arena_.stat(static_cast<int>(s)));
    made_.bytes(2, graph_.name);
    const Shape& in = graph_.nodes[0].shape;
    made_.message(11, value_info("images", {in.channels, in.height, in.width}));
    made_.message(12, value_info("logits", {outputs_}));
    return std::move(made_);
  }

  // Each operation returns the name of its output.
  std::string operator()(const Input&) { return "images"; }
  std::string operator()(const Conv& c) {
    return node("Conv", with_params(),
                window(c.kernel, c.stride, c.padding, {attribute("group", int64_t{c.groups})}));
  }
  std::string operator()(const BatchNorm& norm) {
    std::vector<std::string> inputs = with_params();
    if (!norm.affine) inputs = {source(), constant(".weight", 1.0f), constant(".bias", 0.0f)};
    for (const int s : now_->stats) inputs.push_back(graph_.stats[static_cast<size_t>(s)].name);
    return node("BatchNormalization", inputs, {attribute("epsilon", norm.epsilon)});
  }
  std::string operator()(const Relu&) { return node("Relu", {source()}, {}); }
  std::string operator()(const Add&) { return node("Add", {source(0), source(1)}, {}); }
  std::string operator()(const Pool& pool) {
    if (pool.kind == Pool::Kind::max)
      return node("MaxPool", {source()}, window(pool.kernel, pool.stride, pool.padding, {}));
    return node("AveragePool", {source()},
                window(pool.kernel, pool.stride, pool.padding, {attribute("count_include_pad", int64_t{1})}));
  }
  std::string operator()(const Lrn& lrn) {
    return node("LRN", {source()},
                {attribute("alpha", lrn.alpha), attribute("beta", lrn.beta), attribute("bias", lrn.k),
                 attribute("size", int64_t{lrn.size})});
  }
  std::string operator()(const Linear& linear) {
    std::vector<std::string> inputs = with_params();
    inputs[0] = node("Flatten", {source()}, {attribute("axis", int64_t{1})}, ".flatten");
    outputs_ = linear.outputs;
    return node("Gemm", inputs, {attribute("transB", int64_t{1})}, is_last() ? "logits" : "");
  }
  std::string operator()(const Dropout&) { return source(); }
  std::string operator()(const SoftmaxLoss&) { return ""; }

 private:
  std::string source(size_t i = 0) const { return name_of_.at(static_cast<size_t>(now_->inputs.at(i))); }

  std::vector<std::string> with_params() const {
    std::vector<std::string> inputs{source()};
    for (const int p : now_->params) inputs.push_back(graph_.params[static_cast<size_t>(p)].name);
    return inputs;
  }

  // The loss reads this node.
  bool is_last() const {
    const Node& end = graph_.nodes.back();
    return std::holds_alternative<SoftmaxLoss>(end.op) &&
           &graph_.nodes[static_cast<size_t>(end.inputs[0])] == now_;
  }

  static std::vector<Message> window(Extent kernel, Extent stride, Extent padding,
                                     std::vector<Message> more) {
    more.push_back(attribute("kernel_shape", {kernel.height, kernel.width}));
    more.push_back(attribute("strides", {stride.height, stride.width}));
    more.push_back(attribute("pads", {padding.height, padding.width, padding.height, padding.width}));
    return more;
  }

  // `output`: "" for the node's own name, ".suffix" to be appended to it, or a whole name.
  std::string node(const char* op, const std::vector<std::string>& inputs,
                   const std::vector<Message>& attributes, const std::string& output = "") {
    const std::string name = output.empty() || output.starts_with('.') ? now_->name + output : output;
    Message made;
    for (const std::string& input : inputs) made.bytes(1, input);
    made.bytes(2, name).bytes(3, output.starts_with('.') ? name : now_->name).bytes(4, op);
    for (const Message& one : attributes) made.message(5, one);
    made_.message(1, made);
    return name;
  }

  // gamma and beta of a batch norm that has none.
  std::string constant(const char* suffix, float value) {
    const std::vector<float> values(static_cast<size_t>(now_->shape.channels), value);
    initializer(now_->name + suffix, {now_->shape.channels}, values);
    return now_->name + suffix;
  }

  void initializer(const std::string& name, const std::vector<int64_t>& shape,
                   std::span<const float> values) {
    Message tensor;
    for (const int64_t extent : shape) tensor.integer(1, extent);
    tensor.integer(2, type_float)
        .bytes(8, name)
        .bytes(9, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
    made_.message(5, tensor);
  }

  const Graph& graph_;
  Arena& arena_;
  const Node* now_ = nullptr;
  std::vector<std::string> name_of_;
  int64_t outputs_ = 0;
  Message made_;
};

}  // namespace

void export_onnx(const std::filesystem::path& path, const Graph& graph, Arena& arena,
                 const TensorMetadata& metadata) {
  const Message body = Writer(graph, arena).write();
  Message model = Message().integer(1, ir_version).bytes(2, "convoy");
  if (const auto version = metadata.find("convoy"); version != metadata.end())
    model.bytes(3, version->second);
  for (const auto& [key, value] : metadata) model.message(14, Message().bytes(1, key).bytes(2, value));
  model.message(8, Message().bytes(1, "").integer(2, opset)).head(7, body.str().size());
  require(model.str().size() + body.str().size() <= largest_model,
          "{}: {} is larger than the 2 GiB of an ONNX file", path.string(), graph.name);
  replace_file(path, std::array<std::string_view, 2>{model.str(), body.str()});
}

}  // namespace convoy
