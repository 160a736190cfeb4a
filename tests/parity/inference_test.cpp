// Inference with batch norm, residual sums and ReLU within the convolutions, against the reference, which computes each by itself:
// with fresh weights, and when weights and running statistics have changed.
#include <catch2/catch.hpp>
#include <cmath>

#include "backends/registry.h"
#include "bf16.h"
#include "net/alexnet.h"
#include "net/resnet.h"
#include "runner.h"
#include "tests/support/precision_bound.h"

namespace convoy::parity {

namespace {

constexpr int images = 3, classes = 10;

std::vector<Graph> networks() {
  std::vector<Graph> graphs;
  for (const int depth : {18, 50}) {
    ResnetOptions options;
    options.depth = depth;
    options.classes = classes;
    options.input = 64;
    options.zero_gamma = false;
    graphs.push_back(resnet(options));
  }
  AlexnetOptions normed;
  normed.kind = AlexnetOptions::Kind::bn;
  normed.classes = classes;
  normed.input = 67;
  graphs.push_back(alexnet(normed));
  return graphs;
}

// Statistics and factors as they are after training: no two channels alike.
void season(Arena& arena, const Graph& graph, uint64_t seed) {
  arena.initialize(seed);
  std::vector<float> noise;
  const auto spread = [&](std::span<float> to, float around, float by) {
    noise.resize(to.size());
    fill_normal(noise, ++seed);
    for (size_t i = 0; i < to.size(); ++i) to[i] = around + by * std::tanh(noise[i]);
  };
  for (const Node& node : graph.nodes) {
    const auto* norm = std::get_if<BatchNorm>(&node.op);
    if (norm == nullptr) continue;
    spread(arena.stat(node.stats[0]), 0.1f, 0.3f);
    spread(arena.stat(node.stats[1]), 1.2f, 0.6f);
    if (!norm->affine) continue;
    spread(arena.param(node.params[0]), 0.8f, 0.4f);
    spread(arena.param(node.params[1]), 0.0f, 0.2f);
  }
  arena.weights_changed();
}

std::vector<float> logits(Plan& plan, const Program& program, const Numbers& numbers) {
  std::vector<float> seen(images * classes);
  plan.infer(numbers.batch());
  REQUIRE(plan.peek(Peek::value, program.graph.nodes.back().inputs[0], seen));
  return seen;
}

// A batch norm right behind a convolution says that it is computed there.
void check_folded(const PlanInfo& info, const Graph& graph) {
  for (const StepInfo& step : info.steps) {
    const Node& node = graph.nodes[static_cast<size_t>(step.node)];
    if (!std::holds_alternative<BatchNorm>(node.op)) continue;
    const Node& before = graph.nodes[static_cast<size_t>(node.inputs[0])];
    INFO(node.name << ": " << step.implementation);
    if (std::holds_alternative<Conv>(before.op)) CHECK(step.implementation == "fused into " + before.name);
  }
}

void check(Backend& subject, double bound) {
  const auto oracle = make_backend("reference", 2);
  for (const Graph& graph : networks()) {
    const Program program = lower(graph, images, {.mode = Mode::inference});
    Numbers numbers;
    numbers.images.resize(static_cast<size_t>(images * graph.nodes[0].shape.elements()));
    numbers.labels = {0, 1, 2};
    fill_normal(numbers.images, 3);
    Arena a(graph, program.layout, 0), b(graph, program.layout, 0);
    const auto expected = oracle->compile(program, a), plan = subject.compile(program, b);
    check_folded(plan->info(), graph);
    std::vector<float> before;
    for (const uint64_t seed : {20, 40}) {
      season(a, graph, seed);
      season(b, graph, seed);
      const std::vector<float> wanted = logits(*expected, program, numbers);
      const double error = testing::rounded::distance(wanted, logits(*plan, program, numbers));
      INFO(graph.name << ", weights of seed " << seed << ": " << error);
      CHECK(error < bound * std::sqrt(static_cast<double>(graph.nodes.size())));
      if (!before.empty()) CHECK(testing::rounded::distance(wanted, before) > 0.1);  // so that it could fail
      before = wanted;
    }
  }
}

}  // namespace

TEST_CASE("inference: what is folded into convolutions is right, and follows weights and statistics") {
  check(*make_backend("onednn", 2), 4 * 0x1p-24);
}

TEST_CASE("inference in bf16: what is folded into convolutions is right") {
  if (const auto subject = bf16_backend(2)) check(*subject, 4 * 0x1p-9);
}

}  // namespace convoy::parity
