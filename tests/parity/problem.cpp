#include "problem.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/error.h"

namespace convoy::parity {

namespace {

std::string of(const char* letter, const Extent& e) {
  return fmt::format(" {}{}x{}", letter, e.height, e.width);
}

std::string window(const Extent& kernel, const Extent& stride, const Extent& padding) {
  return of("k", kernel) + of("s", stride) + of("p", padding);
}

const char* word(const Op& op) {
  if (const auto* pool = std::get_if<Pool>(&op)) return pool->kind == Pool::Kind::max ? "maxpool" : "avgpool";
  return std::holds_alternative<SoftmaxLoss>(op) ? "loss" : name_of(op);
}

std::string details(const Op& op) {
  struct {
    std::string operator()(const Input&) const { return ""; }
    std::string operator()(const Conv& c) const {
      return fmt::format(" o{}{} g{}{}", c.outputs, window(c.kernel, c.stride, c.padding), c.groups,
                         c.bias ? " bias" : "");
    }
    std::string operator()(const BatchNorm& b) const {
      return (b.affine ? " affine" : "") + (b.group > 0 ? fmt::format(" group{}", b.group) : "");
    }
    std::string operator()(const Relu&) const { return ""; }
    std::string operator()(const Add&) const { return ""; }
    std::string operator()(const Pool& p) const { return window(p.kernel, p.stride, p.padding); }
    std::string operator()(const Lrn& l) const { return fmt::format(" size{}", l.size); }
    std::string operator()(const Linear& l) const {
      return fmt::format(" o{}{}", l.outputs, l.bias ? " bias" : "");
    }
    std::string operator()(const Dropout&) const { return ""; }
    std::string operator()(const SoftmaxLoss& s) const { return s.smoothing > 0 ? " smooth" : ""; }
  } text;
  return std::visit(text, op);
}

// "k3x3" after "k"; "56x56" after "".
bool read_extent(const std::string& token, const std::string& letter, int& height, int& width) {
  return token.rfind(letter, 0) == 0 &&
         std::sscanf(token.c_str() + letter.size(), "%dx%d", &height, &width) == 2;
}
bool read_number(const std::string& token, const std::string& letter, int& number) {
  return token.rfind(letter, 0) == 0 && token.find('x') == std::string::npos &&
         std::sscanf(token.c_str() + letter.size(), "%d", &number) == 1;
}

struct Words {
  std::string name;
  int images = 1, channels = 0, height = 1, width = 1, outputs = 0, groups = 1, size = 5, group = 0;
  Extent kernel{1, 1}, stride{1, 1}, padding{0, 0};
  bool bias = false, affine = false, smooth = false;
};

Words read_words(const std::string& line) {
  Words w;
  std::istringstream in(line);
  in >> w.name;
  for (std::string token; in >> token;) {
    const bool known = read_extent(token, "k", w.kernel.height, w.kernel.width) ||
                       read_extent(token, "s", w.stride.height, w.stride.width) ||
                       read_extent(token, "p", w.padding.height, w.padding.width) ||
                       read_extent(token, "", w.height, w.width) || read_number(token, "size", w.size) ||
                       read_number(token, "group", w.group) || read_number(token, "n", w.images) ||
                       read_number(token, "c", w.channels) || read_number(token, "o", w.outputs) ||
                       read_number(token, "g", w.groups);
    w.bias = w.bias || token == "bias";
    w.affine = w.affine || token == "affine";
    w.smooth = w.smooth || token == "smooth";
    require(known || token == "bias" || token == "affine" || token == "smooth", "\"{}\": what is {}?", line,
            token);
  }
  return w;
}

}  // namespace

std::string Problem::shape() const {
  const bool flat = std::holds_alternative<SoftmaxLoss>(op);
  return fmt::format("{} c{}{}{}", word(op), src.channels,
                     flat ? "" : fmt::format(" {}x{}", src.height, src.width), details(op));
}

std::string Problem::text() const {
  std::string line = shape();
  return line.insert(line.find(' '), fmt::format(" n{}", images));
}

Problem parse(const std::string& line) {
  const Words w = read_words(line);
  Problem p;
  p.images = w.images;
  p.src = {w.channels, w.height, w.width};
  const Pool pool{Pool::Kind::max, w.kernel, w.stride, w.padding};
  if (w.name == "conv")
    p.op = Conv{w.outputs, w.kernel, w.stride, w.padding, w.groups, w.bias};
  else if (w.name == "linear")
    p.op = Linear{w.outputs, w.bias};
  else if (w.name == "maxpool")
    p.op = pool;
  else if (w.name == "avgpool")
    p.op = Pool{Pool::Kind::average, w.kernel, w.stride, w.padding};
  else if (w.name == "batchnorm")
    p.op = BatchNorm{.affine = w.affine, .group = w.group};
  else if (w.name == "lrn")
    p.op = Lrn{.size = w.size};
  else if (w.name == "add")
    p.op = Add{};
  else if (w.name == "relu")
    p.op = Relu{};
  else if (w.name == "dropout")
    p.op = Dropout{};
  else if (w.name == "loss")
    p.op = SoftmaxLoss{w.smooth ? 0.1f : 0.0f};
  else
    fail("\"{}\": there is no operation of this name", line);
  require(p.text() == line, "\"{}\" reads as \"{}\"", line, p.text());
  return p;
}

std::vector<Problem> read_problems(const std::string& file) {
  std::ifstream in(file);
  require(in.good(), "cannot read {}", file);
  std::vector<Problem> problems;
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && line[0] != '#') problems.push_back(parse(line));
  return problems;
}

std::vector<Problem> problems_of(const Graph& graph, int images) {
  std::vector<Problem> problems;
  for (const Node& node : graph.nodes)
    if (!node.inputs.empty())
      problems.push_back({node.op, images, graph.nodes[static_cast<size_t>(node.inputs[0])].shape});
  return problems;
}

Graph graph_of(const Problem& problem, bool behind_conv) {
  GraphBuilder g(problem.text(), problem.src);
  const int from =
      behind_conv ? g.conv("identity", 0, Conv{problem.src.channels, {1, 1}, {1, 1}, {0, 0}, 1, false}, {})
                  : 0;
  struct {
    GraphBuilder& g;
    int from;
    void operator()(const Input&) const {}
    void operator()(const Conv& op) const { g.conv("conv", from, op, {}); }
    void operator()(const BatchNorm& op) const { g.batchnorm("norm", from, op); }
    void operator()(const Relu&) const { g.relu("relu", from); }
    void operator()(const Add&) const {
      g.add("add", from, g.pool("copy", from, Pool{.kernel = {}, .stride = {}}));
    }
    void operator()(const Pool& op) const { g.pool("pool", from, op); }
    void operator()(const Lrn& op) const { g.lrn("lrn", from, op); }
    void operator()(const Linear& op) const { g.linear("linear", from, op, {}); }
    void operator()(const Dropout& op) const { g.dropout("dropout", from, op.p); }
    void operator()(const SoftmaxLoss& op) const { g.softmax_loss("loss", from, op.smoothing); }
  } append{g, from};
  std::visit(append, problem.op);
  return g.finish();
}

bool exact(const Problem& problem) {
  return !std::holds_alternative<BatchNorm>(problem.op) && !std::holds_alternative<Lrn>(problem.op) &&
         !std::holds_alternative<SoftmaxLoss>(problem.op);
}

}  // namespace convoy::parity
