// Batch norm over groups of images, with its ReLU: a minibatch of groups gives, bit for bit, what each group gives as a
// minibatch of its own. A convolution by the identity stands before it, so that the library chooses the layout and the
// gradient at the input is the batch norm's own.
#include <algorithm>
#include <catch2/catch.hpp>

#include "backends/registry.h"
#include "runner.h"

namespace convoy::parity {

namespace {

constexpr Shape maps{24, 5, 3};
constexpr int groups = 3, images = 2;  // of each

Graph network(int group) {
  GraphBuilder g("groups", maps);
  const int x = g.conv("identity", 0, Conv{maps.channels, {1, 1}, {1, 1}, {0, 0}, 1, false}, {});
  g.relu("relu", g.batchnorm("norm", x, BatchNorm{.group = group}));
  return g.finish();
}

void fill_weights(Arena& arena) {
  for (size_t c = 0; c < size_t{maps.channels}; ++c) arena.param(0)[c * size_t{maps.channels} + c] = 1.0f;
  fill_normal(arena.param(1), 4);
  fill_normal(arena.param(2), 5);
}

struct Result {
  std::vector<float> output, input_gradient, scale, shift, mean, variance;
};

std::vector<float> copied(std::span<const float> values) { return {values.begin(), values.end()}; }

Result train(Backend& backend, int group, std::span<const float> x, std::span<const float> top) {
  const Graph graph = network(group);
  const auto count = static_cast<int>(static_cast<int64_t>(x.size()) / maps.elements());
  const Program program = lower(graph, count, {.input_gradient = true});
  Arena arena(graph, program.layout, 0);
  fill_weights(arena);
  arena.weights_changed();
  const auto plan = backend.compile(program, arena);
  plan->train({.images = x, .top_gradient = top}, [](BucketId, Event) {});
  Result result;
  result.output.resize(x.size());
  result.input_gradient.resize(x.size());
  REQUIRE(plan->peek(Peek::value, 3, result.output));
  REQUIRE(plan->peek(Peek::gradient, 0, result.input_gradient));
  result.scale = copied(arena.param_grad(1));
  result.shift = copied(arena.param_grad(2));
  result.mean = copied(arena.stat_grad(0));
  result.variance = copied(arena.stat_grad(1));
  return result;
}

// sum/divisor, as backends round it.
std::vector<float> sum_of(const std::vector<Result>& parts, std::vector<float> Result::*member,
                          double divisor) {
  std::vector<float> sums;
  for (size_t c = 0; c < (parts[0].*member).size(); ++c) {
    double sum = 0;
    for (const Result& part : parts) sum += static_cast<double>((part.*member)[c]);
    sums.push_back(static_cast<float>(sum / divisor));
  }
  return sums;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return worst;
}

}  // namespace

TEST_CASE("batch norm over groups is what each group is alone") {
  const auto part = static_cast<size_t>(images * maps.elements());
  std::vector<float> x(groups * part), top(groups * part);
  fill_normal(x, 1);
  fill_normal(top, 2);
  for (size_t i = part; i < 2 * part; ++i) x[i] = 3.0f * x[i] + 1.0f;  // groups that differ
  for (const char* name : {"reference", "onednn", "fused"})
    for (const int threads : {1, 2}) {
      INFO(name << " on " << threads << " threads");
      const auto backend = make_backend(name, threads);
      const Result whole = train(*backend, images, x, top);
      std::vector<Result> parts;
      for (size_t g = 0; g < groups; ++g) {
        parts.push_back(
            train(*backend, 0, std::span(x).subspan(g * part, part), std::span(top).subspan(g * part, part)));
        CHECK(copied(std::span(whole.output).subspan(g * part, part)) == parts[g].output);
        CHECK(copied(std::span(whole.input_gradient).subspan(g * part, part)) == parts[g].input_gradient);
      }
      // The reference adds the groups before rounding once, oneDNN after each is rounded.
      CHECK(distance(whole.scale, sum_of(parts, &Result::scale, 1)) < 1e-5);
      CHECK(distance(whole.shift, sum_of(parts, &Result::shift, 1)) < 1e-5);
      CHECK(distance(whole.mean, sum_of(parts, &Result::mean, groups)) < 1e-6);
      CHECK(distance(whole.variance, sum_of(parts, &Result::variance, groups)) < 1e-5);
      CHECK(train(*backend, 0, x, top).output != whole.output);
    }
}

TEST_CASE("batch norm over groups with a fused ReLU agrees with the reference") {
  const std::string name = GENERATE("onednn", "fused");
  INFO(name);
  const auto oracle = make_backend("reference", 2), subject = make_backend(name, 2);
  const Program program = lower(network(images), groups * images, {.input_gradient = true});
  Numbers numbers;
  numbers.images.resize(static_cast<size_t>(groups * images * maps.elements()));
  numbers.top.resize(numbers.images.size());
  fill_normal(numbers.images, 1);
  fill_normal(numbers.top, 2);
  for (const bool keep_values : {true, false}) {
    const auto difference =
        run_both(program, *oracle, *subject, numbers, fill_weights, {.keep_values = keep_values, .k = 8});
    INFO((difference ? difference->text() : ""));
    CHECK_FALSE(difference.has_value());
  }
  // That the ReLU was fused, and what it was fused into ran once a group.
  Arena arena(program.graph, program.layout, 0);
  const PlanInfo info = subject->compile(program, arena, {})->info();
  CHECK(info.steps[3].implementation == "fused into norm");
  const std::string& norm = info.steps[2].implementation;
  CHECK(std::count(norm.begin(), norm.end(), ',') == groups);  // the groups and their statistics
}

}  // namespace convoy::parity
