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

constexpr int classes = 10;

struct Case {
  Graph graph;
  int images = 3;
};

Graph small_resnet(int depth, int input) {
  ResnetOptions options;
  options.depth = depth;
  options.classes = classes;
  options.input = input;
  options.zero_gamma = false;
  return resnet(options);
}

Graph plain_norm() {  // nothing behind it, no factors of its own, a bias and groups before it
  GraphBuilder g("plain norm", {16, 9, 9});
  g.batchnorm("norm", g.conv("conv", 0, Conv{32, {3, 3}, {1, 1}, {1, 1}, 2, true}, {}), {.affine = false});
  return g.finish();
}

// ResNet-18 on 32 pixels with 16 images: in its last layers matrix products stand for convolutions, and nothing is folded.
std::vector<Case> cases() {
  AlexnetOptions normed;
  normed.kind = AlexnetOptions::Kind::bn;
  normed.classes = classes;
  normed.input = 67;
  return {{small_resnet(18, 64)}, {small_resnet(50, 64)},       {small_resnet(18, 32), 16},
          {alexnet(normed)},      {testing::rounded::smooth()}, {plain_norm()}};
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

std::vector<float> answer(Plan& plan, const Program& program, const Numbers& numbers) {
  const Graph& graph = program.graph;
  const auto last = static_cast<int>(graph.nodes.size()) - 1;
  const bool has_loss = std::holds_alternative<SoftmaxLoss>(graph.nodes.back().op);
  const int node = has_loss ? graph.nodes.back().inputs[0] : last;
  std::vector<float> seen(
      static_cast<size_t>(program.images * graph.nodes[static_cast<size_t>(node)].shape.elements()));
  plan.infer(numbers.batch());
  REQUIRE(plan.peek(Peek::value, node, seen));
  return seen;
}

// How many batch norms and sums say that a convolution computes them.
template <class Kind>
int folded(const PlanInfo& info, const Graph& graph) {
  int count = 0;
  for (const StepInfo& step : info.steps)
    count += std::holds_alternative<Kind>(graph.nodes[static_cast<size_t>(step.node)].op) &&
             step.implementation.starts_with("fused into ");
  return count;
}

void check(Backend& subject, double bound, bool winograd = false) {
  const auto oracle = make_backend("reference", 2);
  for (const auto& [graph, images] : cases()) {
    const Program program = lower(graph, images, {.mode = Mode::inference});
    Numbers numbers;
    numbers.images.resize(static_cast<size_t>(images * graph.nodes[0].shape.elements()));
    for (int i = 0; i < images; ++i) numbers.labels.push_back(i % classes);
    fill_normal(numbers.images, 3);
    Arena a(graph, program.layout, 0), b(graph, program.layout, 0);
    const auto expected = oracle->compile(program, a),
               plan = subject.compile(program, b, {.allow_reference_kernels = true, .winograd = winograd});
    std::vector<float> before;
    double error = 0;
    for (const uint64_t seed : {20, 40}) {
      season(a, graph, seed);
      season(b, graph, seed);
      const std::vector<float> wanted = answer(*expected, program, numbers);
      error = std::max(error, testing::rounded::distance(wanted, answer(*plan, program, numbers)));
      if (!before.empty()) CHECK(testing::rounded::distance(wanted, before) > 0.1);  // so that it could fail
      before = wanted;
    }
    const int norms = folded<BatchNorm>(plan->info(), graph), sums = folded<Add>(plan->info(), graph);
    std::printf("%s, %d images: %d norms and %d sums folded, error %.1e\n", graph.name.c_str(), images, norms,
                sums, error);
    INFO(graph.name << ", error " << error);
    CHECK(error < bound * std::sqrt(static_cast<double>(graph.nodes.size())));
    const std::string isa = subject.device().isa;  // of others we know no kernels
    if (!isa.starts_with("avx2") && !isa.starts_with("avx512_core")) continue;
    if (graph.name.starts_with("resnet") && images < 16) {
      CHECK(norms == std::ranges::count_if(graph.nodes, [](const Node& node) {
              return std::holds_alternative<BatchNorm>(node.op);
            }));
      if (subject.device().library.starts_with("oneDNN 3")) CHECK(sums > 0);
      const bool used = std::ranges::any_of(plan->info().steps, [](const StepInfo& step) {
        return step.implementation.find("winograd") != std::string::npos;
      });
      CHECK(used == winograd);
    }
  }
}

}  // namespace

TEST_CASE("inference: what is folded into convolutions is right, and follows weights and statistics") {
  // Sums of thousands of products are rounded as they are added up: measured up to 6e-7 with AVX2's and AVX-512's kernels.
  check(*make_backend("onednn", 2), 8 * 0x1p-24);
}

TEST_CASE("inference: the same within convolutions by Winograd's algorithm") {
  check(*make_backend("onednn", 2), 8 * 0x1p-24, true);
}

TEST_CASE("inference in bf16: what is folded into convolutions is right") {
  if (const auto subject = bf16_backend(2)) check(*subject, 4 * 0x1p-9);
}

}  // namespace convoy::parity
