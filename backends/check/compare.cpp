#include "backends/check/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace convoy {
namespace {

// Terms that meet in one element of the node's output.
double reduction_length(const Program& program, const Node& node) {
  struct {
    const Program& program;
    const Node& node;
    double operator()(const Input&) const { return 0; }
    double operator()(const Conv& c) const {
      const Shape& src = program.graph.nodes[static_cast<size_t>(node.inputs[0])].shape;
      return static_cast<double>(src.channels) / c.groups * c.kernel.height * c.kernel.width;
    }
    double operator()(const BatchNorm& norm) const {
      return static_cast<double>(images_of(program, norm)) * node.shape.height * node.shape.width;
    }
    double operator()(const Relu&) const { return 0; }
    double operator()(const Add&) const { return 2; }
    double operator()(const Pool& p) const {
      return p.kind == Pool::Kind::max ? 0 : static_cast<double>(p.kernel.height) * p.kernel.width;
    }
    double operator()(const Lrn& l) const { return 8.0 * l.size; }  // and a power
    double operator()(const Linear&) const {
      return static_cast<double>(program.graph.nodes[static_cast<size_t>(node.inputs[0])].shape.elements());
    }
    double operator()(const Dropout&) const { return 1; }
    double operator()(const SoftmaxLoss&) const {
      return 8.0 * program.graph.nodes[static_cast<size_t>(node.inputs[0])].shape.channels;
    }
  } length{program, node};
  return std::visit(length, node.op);
}

// Terms that meet in one element of a parameter's gradient: a weight's meet over images and positions.
double gradient_length(const Program& program, const Node& node) {
  return reduction_length(program, node) +
         static_cast<double>(program.images) * node.shape.height * node.shape.width;
}

bool has_kink(const Node& node) {
  const auto* pool = std::get_if<Pool>(&node.op);
  return std::holds_alternative<Relu>(node.op) || (pool != nullptr && pool->kind == Pool::Kind::max);
}

class Lister {
 public:
  Lister(const Program& program, double k) : program_(program), k_(k) {}

  std::vector<Shown> list() {
    double forward_walk = 0, tolerance = 0;
    int kinks = 0;  // that the gradient has come through
    for (const Step& step : program_.steps) {
      const Node& node = program_.graph.nodes[static_cast<size_t>(step.node)];
      if (step.pass == Pass::forward) {
        length_ += reduction_length(program_, node);
        tolerance = forward_walk = walk();
        of_node("output of", step, Shown::Kind::value, tolerance);
        if (program_.mode == Mode::training)
          for (int s : node.stats)
            add(Shown::Kind::statistic, s, program_.graph.stats[static_cast<size_t>(s)].name, tolerance);
      } else {
        length_ += gradient_length(program_, node);
        tolerance = walk() + std::sqrt(kinks * forward_walk);
        kinks += has_kink(node);
        if (!std::holds_alternative<SoftmaxLoss>(node.op))
          of_node("gradient of", step, Shown::Kind::gradient, tolerance);
        for (int p : node.params)
          add(Shown::Kind::parameter_gradient, p,
              "gradient of " + program_.graph.params[static_cast<size_t>(p)].name, tolerance);
      }
    }
    if (program_.mode == Mode::training && program_.input_gradient)
      of_node("gradient of", {Pass::backward, 0}, Shown::Kind::gradient, tolerance);
    return std::move(shown_);
  }

 private:
  double walk() const { return k_ * 0x1p-24 * std::sqrt(length_); }

  void add(Shown::Kind kind, int index, std::string what, double tolerance) {
    shown_.push_back({kind, index, std::move(what), tolerance});
  }

  void of_node(const char* what, const Step& step, Shown::Kind kind, double tolerance) {
    const Node& node = program_.graph.nodes[static_cast<size_t>(step.node)];
    add(kind, step.node,
        fmt::format("{} {} ({}, {})", what, node.name, name_of(node.op),
                    step.pass == Pass::forward ? "forward" : "backward"),
        tolerance);
  }

  const Program& program_;
  double k_, length_ = 0;
  std::vector<Shown> shown_;
};

// f32 in order, as integers: neighbours differ by 1, both zeros are 0.
int64_t rank_of(float value) {
  const int32_t bits = std::bit_cast<int32_t>(value);
  return bits < 0 ? -int64_t{bits & 0x7fffffff} : int64_t{bits};
}

}  // namespace

std::string Difference::text() const {
  return fmt::format(
      "{} differs: element {} is {:.9g} and should be {:.9g}; in norm {:.3g} of the tensor, at most {:.3g} "
      "allowed",
      what, index, actual, expected, error, tolerance);
}

std::vector<Shown> shown_tensors(const Program& program, double k) { return Lister(program, k).list(); }

bool fetch(const Program& program, const Compared& from, const Shown& shown, std::vector<float>& into) {
  if (shown.kind == Shown::Kind::value || shown.kind == Shown::Kind::gradient) {
    const Node& node = program.graph.nodes[static_cast<size_t>(shown.index)];
    into.resize(static_cast<size_t>(node.shape.elements() * program.images));
    return from.plan->peek(shown.kind == Shown::Kind::value ? Peek::value : Peek::gradient, shown.index,
                           into);
  }
  const auto values = shown.kind == Shown::Kind::statistic ? from.arena->stat_grad(shown.index)
                                                           : from.arena->param_grad(shown.index);
  into.assign(values.begin(), values.end());
  return true;
}

Measured measure(std::span<const float> a, std::span<const float> b) {
  Measured measured;
  double norm = 0, difference = 0, worst = -1;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    const bool equal = x == y || (std::isnan(x) && std::isnan(y));
    const double delta = equal ? 0.0 : std::abs(x - y);
    if (std::isfinite(x)) norm += x * x;
    difference += delta * delta;
    if (delta > worst || (std::isnan(delta) && !std::isnan(worst))) {
      worst = delta;
      measured.index = static_cast<int64_t>(i);
    }
    if (equal) continue;
    ++measured.unequal;
    const uint64_t ulps = std::isnan(delta) ? std::numeric_limits<uint64_t>::max()
                                            : static_cast<uint64_t>(std::abs(rank_of(a[i]) - rank_of(b[i])));
    measured.ulps = std::max(measured.ulps, ulps);
  }
  measured.error = difference == 0 ? 0.0 : std::sqrt(difference) / std::max(std::sqrt(norm), 1e-30);
  return measured;
}

std::optional<Difference> first_difference(const Program& program, Compared oracle, Compared subject,
                                           double k, const Seen& seen) {
  std::vector<float> expected, actual;
  for (const Shown& shown : shown_tensors(program, k)) {
    if (!fetch(program, oracle, shown, expected) || !fetch(program, subject, shown, actual)) continue;
    const auto [error, unequal, index, ulps] = measure(expected, actual);
    if (seen) seen(shown.what, error, shown.tolerance);
    if (!(error <= shown.tolerance)) {
      const auto at = static_cast<size_t>(index);
      return Difference{shown.what, index, expected[at], actual[at], error, shown.tolerance};
    }
  }
  return {};
}

}  // namespace convoy
