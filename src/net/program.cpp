#include "net/program.h"

#include <algorithm>

#include "base/error.h"

namespace convoy {
namespace {

constexpr int64_t alignment = 16;  // elements: 64 bytes of f32

bool is_loss(const Node& node) { return std::holds_alternative<SoftmaxLoss>(node.op); }

void check_norms(const Graph& graph, int images) {
  for (const Node& node : graph.nodes) {
    const auto* norm = std::get_if<BatchNorm>(&node.op);
    if (norm == nullptr) continue;
    const int group = norm->group > 0 ? norm->group : images;
    require(images % group == 0,
            "{}: a minibatch of {} images cannot be cut into batch norm groups of {}: give one that "
            "divides it",
            node.name, images, group);
    require(
        int64_t{group} * node.shape.height * node.shape.width > 1,
        "{}: batch norm over a single value (1 image with a map of 1x1) makes every output zero; use more "
        "images a worker or a group, or a larger input",
        node.name);
  }
}

// By node: does d loss / d output matter to anybody?
std::vector<bool> wanted_gradients(const Graph& graph, bool input_gradient) {
  std::vector<bool> wanted(graph.nodes.size(), false);
  wanted[0] = input_gradient;
  for (size_t n = 1; n < wanted.size(); ++n) {
    const Node& node = graph.nodes[n];
    wanted[n] = !node.params.empty() || std::any_of(node.inputs.begin(), node.inputs.end(), [&](int input) {
      return wanted[static_cast<size_t>(input)];
    });
  }
  return wanted;
}

std::vector<Step> training_steps(const Graph& graph, const std::vector<bool>& wanted) {
  std::vector<Step> steps;
  const int count = static_cast<int>(graph.nodes.size());
  for (int n = 0; n < count; ++n) steps.push_back({Pass::forward, n});
  for (int n = count - 1; n > 0; --n)
    if (wanted[static_cast<size_t>(n)]) steps.push_back({Pass::backward, n});
  return steps;
}

void extend(LiveRange& range, int step) {
  if (range.first < 0) range.first = step;
  range.last = std::max(range.last, step);
}

void find_live_ranges(Program& program, const std::vector<bool>& wanted) {
  const auto& nodes = program.graph.nodes;
  program.values.assign(nodes.size(), {});
  program.gradients.assign(nodes.size(), {});
  const int last = static_cast<int>(program.steps.size()) - 1;
  for (int s = 0; s <= last; ++s) {
    const Step step = program.steps[static_cast<size_t>(s)];
    const auto n = static_cast<size_t>(step.node);
    const Node& node = nodes[n];
    if (step.pass == Pass::forward) {
      extend(program.values[n], s);
      for (int input : node.inputs) extend(program.values[static_cast<size_t>(input)], s);
      continue;
    }
    if (backward_reads_output(node.op)) extend(program.values[n], s);
    if (!is_loss(node)) extend(program.gradients[n], s);
    for (int input : node.inputs) {
      const auto i = static_cast<size_t>(input);
      if (backward_reads_input(node.op)) extend(program.values[i], s);
      if (wanted[i]) extend(program.gradients[i], s);
    }
  }
  // What the caller may read after the run lives to its end.
  extend(program.values.back(), last);
  if (program.input_gradient && program.gradients[0].first >= 0) extend(program.gradients[0], last);
}

class LayoutWriter {
 public:
  LayoutWriter(const Graph& graph, size_t bucket_bytes) : bytes_(static_cast<int64_t>(bucket_bytes)) {
    layout_.param_offset.resize(graph.params.size());
    layout_.stat_offset.resize(graph.stats.size());
  }

  void param(int index, int64_t count, int step) {
    auto& buckets = layout_.buckets;
    const auto bytes = static_cast<int64_t>(sizeof(float));
    if (buckets.empty() || (end() - buckets.back().begin + rounded(count)) * bytes > bytes_)
      buckets.push_back({end(), end(), step});
    layout_.param_offset[static_cast<size_t>(index)] = append(Segment::Kind::parameter, index, count, step);
  }

  void stat(int index, int64_t count, int step) {
    if (layout_.buckets.empty()) layout_.buckets.push_back({0, 0, step});
    layout_.stat_offset[static_cast<size_t>(index)] = append(Segment::Kind::statistic, index, count, step);
  }

  Layout finish() { return std::move(layout_); }

 private:
  int64_t end() const { return layout_.elements; }
  static int64_t rounded(int64_t count) { return (count + alignment - 1) / alignment * alignment; }

  int64_t append(Segment::Kind kind, int index, int64_t count, int step) {
    const int64_t offset = end();
    layout_.segments.push_back({kind, index, offset, count, static_cast<int>(layout_.buckets.size()) - 1});
    layout_.elements = offset + rounded(count);
    layout_.buckets.back().end = layout_.elements;
    layout_.buckets.back().ready_step = std::max(layout_.buckets.back().ready_step, step);
    return offset;
  }

  int64_t bytes_;
  Layout layout_;
};

Layout lay_out(const Graph& graph, const std::vector<Step>& steps, size_t bucket_bytes) {
  LayoutWriter writer(graph, bucket_bytes);
  for (size_t s = 0; s < steps.size(); ++s)
    if (steps[s].pass == Pass::backward)
      for (int p : graph.nodes[static_cast<size_t>(steps[s].node)].params)
        writer.param(p, graph.params[static_cast<size_t>(p)].elements(), static_cast<int>(s));
  // A statistic is complete after its forward step, which is step number `node`.
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    for (int i : graph.nodes[n].stats)
      writer.stat(i, graph.stats[static_cast<size_t>(i)].channels, static_cast<int>(n));
  return writer.finish();
}

}  // namespace

int images_of(const Program& program, const BatchNorm& norm) {
  return program.mode == Mode::training && norm.group > 0 ? norm.group : program.images;
}

bool backward_reads_input(const Op& op) {
  struct {
    bool operator()(const Input&) const { return false; }
    bool operator()(const Conv&) const { return true; }
    bool operator()(const BatchNorm&) const { return true; }
    bool operator()(const Relu&) const { return false; }
    bool operator()(const Add&) const { return false; }
    bool operator()(const Pool& pool) const { return pool.kind == Pool::Kind::max; }
    bool operator()(const Lrn&) const { return true; }
    bool operator()(const Linear&) const { return true; }
    bool operator()(const Dropout&) const { return false; }
    bool operator()(const SoftmaxLoss&) const { return true; }
  } reads;
  return std::visit(reads, op);
}

bool backward_reads_output(const Op& op) { return std::holds_alternative<Relu>(op); }

Program lower(const Graph& graph, int images, const LowerOptions& options) {
  require(images > 0, "{}: a minibatch needs at least one image, not {}", graph.name, images);
  require(graph.nodes.size() > 1, "{}: a network needs at least one operation", graph.name);
  if (options.mode == Mode::training) check_norms(graph, images);
  Program program;
  program.graph = graph;
  program.images = images;
  program.mode = options.mode;
  program.input_gradient = options.input_gradient && options.mode == Mode::training;
  const std::vector<bool> wanted = wanted_gradients(graph, program.input_gradient);
  program.steps = training_steps(graph, wanted);
  program.layout = lay_out(graph, program.steps, options.bucket_bytes);
  if (program.mode == Mode::inference) program.steps.resize(graph.nodes.size());
  find_live_ranges(program, wanted);
  return program;
}

int64_t first_statistic(const Layout& layout) {
  for (const Segment& segment : layout.segments)
    if (segment.kind == Segment::Kind::statistic) return segment.offset;
  return layout.elements;
}

}  // namespace convoy
