#include "backends/check/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

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

class Comparison {
 public:
  Comparison(const Program& program, Compared a, Compared b, double k, const Seen& seen)
      : program_(program), a_(a), b_(b), k_(k), seen_(seen) {}

  std::optional<Difference> run() {
    double forward_walk = 0;
    int kinks = 0;  // that the gradient has come through
    for (const Step& step : program_.steps) {
      const Node& node = program_.graph.nodes[static_cast<size_t>(step.node)];
      if (step.pass == Pass::forward) {
        length_ += reduction_length(program_, node);
        tolerance_ = forward_walk = walk();
        peeked("output of", node, step, Peek::value);
        if (program_.mode == Mode::training)
          for (int s : node.stats)
            tensors(program_.graph.stats[static_cast<size_t>(s)].name, a_.arena->stat_grad(s),
                    b_.arena->stat_grad(s));
      } else {
        length_ += gradient_length(program_, node);
        tolerance_ = walk() + std::sqrt(kinks * forward_walk);
        kinks += has_kink(node);
        if (!std::holds_alternative<SoftmaxLoss>(node.op)) peeked("gradient of", node, step, Peek::gradient);
        for (int p : node.params)
          tensors("gradient of " + program_.graph.params[static_cast<size_t>(p)].name,
                  a_.arena->param_grad(p), b_.arena->param_grad(p));
      }
      if (found_) return found_;
    }
    if (program_.mode == Mode::training && program_.input_gradient)
      peeked("gradient of", program_.graph.nodes[0], {Pass::backward, 0}, Peek::gradient);
    return found_;
  }

 private:
  double walk() const { return k_ * 0x1p-24 * std::sqrt(length_); }

  void peeked(const char* what, const Node& node, const Step& step, Peek peek) {
    const auto count = static_cast<size_t>(node.shape.elements() * program_.images);
    expected_.resize(count);
    actual_.resize(count);
    if (!a_.plan->peek(peek, step.node, expected_) || !b_.plan->peek(peek, step.node, actual_)) return;
    tensors(fmt::format("{} {} ({}, {})", what, node.name, name_of(node.op),
                        step.pass == Pass::forward ? "forward" : "backward"),
            expected_, actual_);
  }

  void tensors(const std::string& what, std::span<const float> expected, std::span<const float> actual) {
    if (found_) return;
    double norm = 0, difference = 0, worst = -1;
    size_t worst_at = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      const double a = expected[i], b = actual[i];
      const double delta = a == b || (std::isnan(a) && std::isnan(b)) ? 0.0 : std::abs(a - b);
      if (std::isfinite(a)) norm += a * a;
      difference += delta * delta;
      if (delta > worst || (std::isnan(delta) && !std::isnan(worst))) {
        worst = delta;
        worst_at = i;
      }
    }
    const double error = difference == 0 ? 0.0 : std::sqrt(difference) / std::max(std::sqrt(norm), 1e-30);
    if (seen_) seen_(what, error, tolerance_);
    if (!(error <= tolerance_))
      found_ = {what,      static_cast<int64_t>(worst_at), expected[worst_at], actual[worst_at], error,
                tolerance_};
  }

  const Program& program_;
  Compared a_, b_;
  double k_;
  const Seen& seen_;
  double length_ = 0, tolerance_ = 0;
  std::vector<float> expected_, actual_;
  std::optional<Difference> found_;
};

}  // namespace

std::string Difference::text() const {
  return fmt::format(
      "{} differs: element {} is {:.9g} and should be {:.9g}; in norm {:.3g} of the tensor, at most {:.3g} "
      "allowed",
      what, index, actual, expected, error, tolerance);
}

std::optional<Difference> first_difference(const Program& program, Compared oracle, Compared subject,
                                           double k, const Seen& seen) {
  return Comparison(program, oracle, subject, k, seen).run();
}

}  // namespace convoy
