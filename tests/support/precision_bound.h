// Plans in 16-bit types against a plan in f32. Every stored number is rounded once, with unit roundoff u (2^-12 of fp16,
// 2^-9 of bf16: half a unit in the last place); over the L nodes that a value has come through these errors are
// independent and grow as sqrt(L), and a gradient has come through them twice:
//   values and statistics  4 u sqrt(L)         gradients  4 u sqrt(2 L) [+ sqrt(K 4 u sqrt(L))]
// in norm of the tensor, where 4 stands for the tensors of a node (value, weights, their gradients) and K for the ReLUs and
// maxima, whose border is crossed by a share of elements as large as the error (backends/check/compare.h).
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "base/random.h"
#include "net/program.h"
#include "port/backend.h"

namespace convoy::testing::rounded {

constexpr int images = 8;

inline Graph smooth() {  // nothing in it has a kink
  const Init normal{Init::Kind::normal, 0.2f};
  GraphBuilder g("smooth", {5, 10, 10});
  int x = g.batchnorm("n1", g.conv("c1", 0, {16, {3, 3}, {1, 1}, {1, 1}, 1, false}, normal), {});
  int y = g.batchnorm("n2", g.conv("c2", x, {16, {3, 3}, {1, 1}, {1, 1}, 2, true}, normal), {});
  x = g.add("sum", y, x);
  x = g.lrn("lrn", x, {.size = 5, .alpha = 0.1f});
  x = g.pool("pool", x, {Pool::Kind::average, {5, 5}, {5, 5}, {0, 0}});
  g.softmax_loss("loss", g.linear("fc", g.dropout("drop", x, 0.25f), {10, true}, normal), 0.1f);
  return g.finish();
}

inline Graph residual(int width = 12, int group = 0) {  // a block of a ResNet; batch norm of so many images
  const Init normal{Init::Kind::normal, 0.2f};
  const auto conv = [&](GraphBuilder& g, const std::string& name, int from, int outputs, int kernel) {
    const Conv op{outputs, {kernel, kernel}, {1, 1}, {kernel / 2, kernel / 2}, 1, false};
    return g.batchnorm(name + ".norm", g.conv(name, from, op, normal), {.group = group});
  };
  GraphBuilder g("residual", {3, 10, 10});
  const int x = g.relu("stem.relu", conv(g, "stem", 0, width, 3));
  const int y = g.relu("a.relu", conv(g, "a", x, width, 3));
  const int sum = g.relu("block.relu",
                         g.add("block", conv(g, "b", y, 2 * width, 1), conv(g, "shortcut", x, 2 * width, 1)));
  const int pool = g.pool("pool", sum, {Pool::Kind::average, {2, 2}, {2, 2}, {0, 0}});
  g.softmax_loss("loss", g.linear("fc", pool, {10, true}, normal), 0.0f);
  return g.finish();
}

struct Named {
  std::string name;
  bool gradient;
  std::vector<float> values;
};

// One step of `graph` on `backend`, and what it has made.
inline std::vector<Named> train(const Graph& graph, Backend& backend, float loss_scale,
                                const CompileOptions& options = {.allow_reference_kernels = true}) {
  const Program program = lower(graph, images, {.input_gradient = true});
  Arena arena(graph, program.layout, 0);
  arena.initialize(3);
  const auto plan = backend.compile(program, arena, options);
  std::vector<float> pixels(static_cast<size_t>(images * graph.nodes[0].shape.elements()));
  const Random random(3, 1);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(2 * unit(random.bits(i)) - 1);
  std::vector<int32_t> labels;
  for (int i = 0; i < images; ++i) labels.push_back(i);
  Batch batch;
  batch.images = pixels, batch.labels = labels, batch.seed = 1, batch.loss_scale = loss_scale;
  plan->train(batch, [](BucketId, Event) {});
  std::vector<Named> seen;
  const int logits = graph.nodes.back().inputs[0];
  seen.push_back({"logits", false, std::vector<float>(images * 10)});
  REQUIRE(plan->peek(Peek::value, logits, seen.back().values));
  seen.push_back({"gradient at the input", true, std::vector<float>(pixels.size())});
  REQUIRE(plan->peek(Peek::gradient, 0, seen.back().values));
  for (size_t p = 0; p < graph.params.size(); ++p) {
    const auto gradient = arena.param_grad(static_cast<int>(p));
    seen.push_back({graph.params[p].name, true, {gradient.begin(), gradient.end()}});
  }
  for (size_t s = 0; s < graph.stats.size(); ++s) {
    const auto statistic = arena.stat_grad(static_cast<int>(s));
    seen.push_back({graph.stats[s].name, false, {statistic.begin(), statistic.end()}});
  }
  return seen;
}

inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(a[i]), 2);
  }
  return std::sqrt(difference / norm);
}

inline void check(const Graph& graph, Backend& f32, Backend& subject, double u, float loss_scale) {
  int kinks = 0;
  for (const Node& node : graph.nodes) kinks += std::holds_alternative<Relu>(node.op);
  const auto length = static_cast<double>(graph.nodes.size());
  const double forward = 4 * u * std::sqrt(length);
  const double backward = 4 * u * std::sqrt(2 * length) + std::sqrt(kinks * forward);
  const std::vector<Named> exact = train(graph, f32, 1), rounded = train(graph, subject, loss_scale);
  double worst_forward = 0, worst_backward = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    // A bias below a batch norm has no gradient: what there is, is rounding.
    if (exact[i].name == "c2.bias") continue;
    const double error = distance(exact[i].values, rounded[i].values);
    INFO(graph.name << ": " << exact[i].name << ", " << error);
    CHECK(error < (exact[i].gradient ? backward : forward));
    CHECK(error > 0);  // as it would not be, were the type another
    double& worst = exact[i].gradient ? worst_backward : worst_forward;
    worst = std::max(worst, error);
  }
  std::printf("%s, u = %.1e: values %.1e (bound %.1e), gradients %.1e (bound %.1e)\n", graph.name.c_str(), u,
              worst_forward, forward, worst_backward, backward);
}

}  // namespace convoy::testing::rounded
