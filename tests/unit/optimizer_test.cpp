#include "train/optimizer.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

namespace convoy {
namespace {

// The port's formulas, written out once more, in double.
struct PlainVector final : Vector {
  void squared_norms(std::span<const NormTaskOf<float>> tasks, std::span<double> norms) override {
    for (size_t t = 0; t < tasks.size(); ++t) {
      const auto& [g, w, scale, decay] = tasks[t];
      norms[t] = 0;
      for (size_t i = 0; i < g.size(); ++i)
        norms[t] += std::pow(double{scale} * g[i] + (w.empty() ? 0.0 : double{decay} * w[i]), 2);
    }
  }
  void momentum_steps(std::span<const MomentumTaskOf<float>> tasks) override {
    for (const auto& [w, v, g, s] : tasks)
      for (size_t i = 0; i < w.size(); ++i) {
        const double gradient = s.into_velocity * (double{s.grad_scale} * g[i] + double{s.decay} * w[i]);
        const double velocity = double{s.momentum} * v[i] + gradient;
        w[i] = static_cast<float>(
            w[i] - s.into_weights * (s.lookahead > 0 ? gradient + s.lookahead * velocity : velocity));
        v[i] = static_cast<float>(velocity);
      }
  }
  void rmsprop_steps(std::span<const RmspropTaskOf<float>> tasks) override {
    for (const auto& [w, v, m, g, s] : tasks)
      for (size_t i = 0; i < w.size(); ++i) {
        const double gradient = double{s.grad_scale} * g[i] + double{s.decay} * w[i];
        const double square = double{s.mu2} * m[i] + (1 - double{s.mu2}) * gradient * gradient;
        const double by = s.alpha_sgd + s.alpha_rmsprop / (std::sqrt(square) + s.epsilon);
        const double velocity = double{s.momentum} * v[i] + by * gradient;
        w[i] = static_cast<float>(w[i] - s.rate * velocity);
        v[i] = static_cast<float>(velocity);
        m[i] = static_cast<float>(square);
      }
  }
  void running_averages(std::span<const AverageTaskOf<float>> tasks) override {
    for (const auto& [r, s, keep, scale] : tasks)
      for (size_t i = 0; i < r.size(); ++i) r[i] = keep * r[i] + (1 - keep) * scale * s[i];
  }
};

// A weight of two elements, a bias, a norm scale of one each, and one running statistic.
struct Fixture {
  Graph graph;
  Layout layout;
  Fixture() {
    const auto param = [&](const char* name, int64_t n, Role role) {
      graph.params.push_back({name, {n}, role, {}});
    };
    param("conv.weight", 2, Role::weight);
    param("conv.bias", 1, Role::bias);
    param("bn.weight", 1, Role::norm_scale);
    graph.stats.push_back({"bn.running_mean", 1, 0.0f, 0.9f});
    for (int i = 0; i < 3; ++i) {
      layout.segments.push_back({Segment::Kind::parameter, i, 16 * i, i == 0 ? 2 : 1, 0});
      layout.param_offset.push_back(16 * i);
    }
    layout.segments.push_back({Segment::Kind::statistic, 0, 48, 1, 0});
    layout.stat_offset = {48};
    layout.buckets = {{0, 64, 0}};
    layout.elements = 64;
  }
};

struct Tiny : Fixture {
  Arena arena;
  PlainVector vector;
  Tiny() : arena(graph, layout, 2) {
    arena.param(0)[0] = 3;
    arena.param(0)[1] = 4;  // norm 5
    arena.param(1)[0] = 2;
    arena.param(2)[0] = 1;
    arena.stat(0)[0] = 1;
    gradients();
  }
  void gradients() {  // sums over W = 4 workers
    arena.param_grad(0)[0] = 0.24f * 4;
    arena.param_grad(0)[1] = -0.32f * 4;  // mean norm 0.4
    arena.param_grad(1)[0] = 0.5f * 4;
    arena.param_grad(2)[0] = 0.25f * 4;
    arena.stat_grad(0)[0] = 3.0f * 4;
  }
  void step(const Optimizer& optimizer, double rate, double previous, double epoch = 0, bool warmup = false) {
    update(optimizer, vector, graph, arena, {rate, previous, epoch, warmup}, 0.25f);
  }
  double w(int p, size_t i = 0) { return arena.param(p)[i]; }
};

Optimizer lars(const std::string& variant, double decay) {
  OptimizerOptions o;
  o.kind = "lars";
  o.variant = variant;
  set_variant_defaults(o);
  o.weight_decay = decay;
  o.trust = 0.01;
  return make_optimizer(o);
}

}  // namespace

TEST_CASE("SGD by hand: mean gradient, decay by role, velocity, statistics") {
  Tiny t;
  OptimizerOptions o;
  o.weight_decay = 0.1;
  const Optimizer sgd = make_optimizer(o);
  const uint64_t version = t.arena.version();
  t.step(sgd, 0.5, 0.5);
  CHECK(t.w(0, 0) == Approx(3 - 0.5 * (0.24 + 0.3)));
  CHECK(t.w(0, 1) == Approx(4 - 0.5 * (-0.32 + 0.4)));
  CHECK(t.w(1) == Approx(2 - 0.5 * (0.5 + 0.2)));  // bias: decays
  CHECK(t.w(2) == Approx(1 - 0.5 * 0.25));         // norm: does not
  CHECK(t.arena.stat(0)[0] == Approx(0.9 * 1 + 0.1 * 3));
  Tiny first;  // where one worker alone gave its statistics, the sum is not divided
  first.graph.stats[0].first_worker = true;
  first.step(sgd, 0.5, 0.5);
  CHECK(first.arena.stat(0)[0] == Approx(0.9 * 1 + 0.1 * 12));
  CHECK(t.arena.version() > version);
  const double w1 = t.w(2);
  t.step(sgd, 0.1, 0.5);
  CHECK(t.w(2) == Approx(w1 - 0.1 * (0.9 * 0.25 + 0.25)));
}

TEST_CASE(
    "with momentum correction the rate inside gives what the rate outside gives; without it, it does not") {
  const bool nesterov = GENERATE(false, true);
  OptimizerOptions outside, inside;
  outside.nesterov = inside.nesterov = nesterov;
  inside.convention = "inside";
  set_variant_defaults(inside);
  OptimizerOptions uncorrected = inside;
  uncorrected.momentum_correction = false;
  Tiny a, b, c;
  const double rates[] = {0.0, 0.1, 0.4, 0.4, 0.04};
  for (int step = 0; step < 5; ++step) {
    const double previous = rates[step > 0 ? step - 1 : 0];
    a.step(make_optimizer(outside), rates[step], previous);
    b.step(make_optimizer(inside), rates[step], previous);
    c.step(make_optimizer(uncorrected), rates[step], previous);
    // At rate 0 the outside velocity remembers the gradient and the inside one cannot: start both from the same.
    if (step == 0) std::fill(a.arena.state(0).begin(), a.arena.state(0).end(), 0.0f);
  }
  CHECK(b.w(0, 0) == Approx(a.w(0, 0)).epsilon(1e-6));
  CHECK(std::abs(c.w(0, 0) - a.w(0, 0)) > 1e-2);
}

TEST_CASE("Nesterov by hand") {
  Tiny t;
  OptimizerOptions o;
  o.nesterov = true;
  o.weight_decay = 0;
  t.step(make_optimizer(o), 0.5, 0.5);
  CHECK(t.w(2) == Approx(1 - 0.5 * (0.25 + 0.9 * 0.25)));
}

TEST_CASE("LARS as Algorithm 1 of You et al., by hand, for every tensor") {
  Tiny t;
  const double beta = 0.05, rate = 2.0;
  const Optimizer paper = lars("paper", beta);
  t.step(paper, rate, rate);
  const double ratio = 0.01 * 5 / (0.4 + beta * 5);  // |w| = 5, |g| = 0.4 of the mean gradient
  const double v0 = rate * ratio * (0.24 + beta * 3);
  CHECK(t.w(0, 0) == Approx(3 - v0));
  CHECK(t.w(0, 1) == Approx(4 - rate * ratio * (-0.32 + beta * 4)));
  CHECK(t.w(1) == Approx(2 - rate * 0.01 * 2 / (0.5 + beta * 2) * (0.5 + beta * 2)));
  CHECK(t.w(2) == Approx(1 - rate * 0.01 * 1 / (0.25 + beta) * (0.25 + beta)));
  // Second step: the velocity holds the old rate and ratio, uncorrected.
  const double w0 = t.w(0, 0), w1 = t.w(0, 1), norm = std::hypot(w0, w1);
  t.step(paper, 1.0, rate);
  const double second = 0.01 * norm / (0.4 + beta * norm);
  CHECK(t.w(0, 0) == Approx(w0 - (0.9 * v0 + 1.0 * second * (0.24 + beta * w0))));
}

TEST_CASE("the ratio takes the gradient before decay, and 1 where a norm is zero") {
  Tiny t;
  for (float& value : t.arena.param(1)) value = 0;  // a fresh bias
  t.step(lars("paper", 0.05), 0.1, 0.1);
  CHECK(t.w(1) == Approx(-0.1 * 0.5));
  Tiny still;
  for (float& value : still.arena.param_grad(0)) value = 0;
  still.step(lars("paper", 0.05), 0.1, 0.1);
  CHECK(still.w(0, 0) == Approx(3 - 0.1 * 0.05 * 3));
}

TEST_CASE("the variants skip whom they say") {
  const double beta = 0.05, rate = 0.5;
  Tiny mlperf, nvidia, caffe;
  mlperf.step(lars("mlperf", beta), rate, rate);
  CHECK(mlperf.w(1) == Approx(2 - rate * 0.5));  // bias: plain, no decay
  CHECK(mlperf.w(2) == Approx(1 - rate * 0.25));
  CHECK(mlperf.w(0, 0) == Approx(3 - rate * 0.05 / 0.65 * (0.24 + beta * 3)));
  nvidia.step(lars("nvidia", beta), rate, rate);
  CHECK(nvidia.w(1) == Approx(2 - rate * (0.5 + beta * 2)));  // bias: plain, decays
  CHECK(nvidia.w(2) == Approx(1 - rate * 0.25));
  // caffe: the global decay is in the ratio of a tensor that does not decay itself.
  Lars excluded = std::get<Lars>(lars("caffe", beta));
  excluded.decay_bias = false;
  caffe.step(excluded, rate, rate);
  CHECK(caffe.w(1) == Approx(2 - rate * 0.01 * 2 / (0.5 + beta * 2) * 0.5));
}

TEST_CASE("mlperf-scaled applies the ratio to the whole history, nvidia corrects its momentum") {
  const double beta = 0.0, r1 = 0.5, r2 = 0.1;
  Tiny scaled, nvidia;
  const auto ratio = [](double w0, double w1) { return 0.01 * std::hypot(w0, w1) / 0.4; };
  scaled.step(lars("mlperf-scaled", beta), r1, r1);
  double w0 = scaled.w(0, 0), w1 = scaled.w(0, 1);
  CHECK(w0 == Approx(3 - r1 * ratio(3, 4) * 0.24));
  scaled.step(lars("mlperf-scaled", beta), r2, r1);
  CHECK(scaled.w(0, 0) == Approx(w0 - r2 * ratio(w0, w1) * (0.9 * 0.24 + 0.24)));
  nvidia.step(lars("nvidia", beta), r1, r1);
  w0 = nvidia.w(0, 0), w1 = nvidia.w(0, 1);
  nvidia.step(lars("nvidia", beta), r2, r1);
  CHECK(nvidia.w(0, 0) ==
        Approx(w0 - (0.9 * (r2 / r1) * r1 * ratio(3, 4) * 0.24 + r2 * ratio(w0, w1) * 0.24)));
}

TEST_CASE(
    "Intel Caffe: the norm after decay, the global decay in the ratio, correction during warm-up alone") {
  const double d = 0.05, r1 = 0.5, r2 = 0.1, r3 = 0.02;
  Tiny t;
  const Optimizer intel = lars("intel-caffe", d);
  double w0 = 3, w1 = 4, v = 0;
  const auto ratio = [&] {
    const double norm = std::hypot(w0, w1);
    return 0.01 * norm / (std::hypot(0.24 + d * w0, -0.32 + d * w1) + d * norm);
  };
  const auto expect = [&](double rate, double momentum) {
    v = momentum * v + rate * ratio() * (0.24 + d * w0);
    CHECK(t.w(0, 0) == Approx(w0 - v));
    w0 = t.w(0, 0), w1 = t.w(0, 1);
  };
  t.step(intel, r1, r1, 0, true);
  expect(r1, 0.9);
  t.step(intel, r2, r1, 0, true);
  expect(r2, 0.9 * r2 / r1);
  t.step(intel, r3, r2, 0, false);
  expect(r3, 0.9);
}

TEST_CASE("nvcaffe's LARC: no decay in the ratio; the rate times it, or the smaller of the two") {
  const double d = 0.05, ratio = 0.01 * 5 / 0.4;
  Tiny scale, clipped, bound;
  scale.step(lars("nvcaffe-larc-scale", d), 0.5, 0.5);
  CHECK(scale.w(0, 0) == Approx(3 - 0.5 * ratio * (0.24 + d * 3)));
  clipped.step(lars("nvcaffe-larc-clip", d), 0.5, 0.5);
  CHECK(clipped.w(0, 0) == Approx(3 - ratio * (0.24 + d * 3)));
  bound.step(lars("nvcaffe-larc-clip", d), 0.05, 0.05);
  CHECK(bound.w(0, 0) == Approx(3 - 0.05 * (0.24 + d * 3)));
  Tiny still;  // a norm of zero is a ratio of 1, of which the rate may be the smaller
  for (float& value : still.arena.param(1)) value = 0;
  still.step(lars("nvcaffe-larc-clip", d), 3, 3);
  CHECK(still.w(1) == Approx(-0.5));
}

TEST_CASE("apex's LARC: the ratio multiplies the decayed gradient, the rate stays outside") {
  const double d = 0.05;
  const auto ratio = [&](double norm) { return 0.01 * norm / (0.4 + d * norm + 1e-8); };
  Tiny scale, clip;
  scale.step(lars("larc-scale", d), 0.5, 0.5);
  const double v0 = ratio(5) * (0.24 + d * 3), w0 = 3 - 0.5 * v0;
  CHECK(scale.w(0, 0) == Approx(w0));
  const double norm = std::hypot(scale.w(0, 0), scale.w(0, 1));
  scale.step(lars("larc-scale", d), 0.1, 0.5);
  CHECK(scale.w(0, 0) == Approx(w0 - 0.1 * (0.9 * v0 + ratio(norm) * (0.24 + d * w0))));
  clip.step(lars("larc-clip", d), 0.5,
            0.5);  // the ratio, 0.0769, is below the rate: the rate becomes the ratio
  CHECK(clip.w(0, 0) == Approx(3 - ratio(5) * (0.24 + d * 3)));
  Tiny small, still;
  small.step(lars("larc-clip", d), 0.05, 0.05);
  CHECK(small.w(0, 0) == Approx(3 - 0.05 * (0.24 + d * 3)));
  for (float& value : still.arena.param_grad(0)) value = 0;  // passed by: not even decay
  still.step(lars("larc-clip", d), 0.5, 0.5);
  CHECK(still.w(0, 0) == 3);
}

TEST_CASE("mlperf-scaled has its decay in the loss: in the norm of the gradient, too") {
  const double d = 0.05, ratio = 0.01 * 5 / (std::hypot(0.24 + d * 3, -0.32 + d * 4) + d * 5);
  Tiny t;
  t.step(lars("mlperf-scaled", d), 0.5, 0.5);
  CHECK(t.w(0, 0) == Approx(3 - 0.5 * ratio * (0.24 + d * 3)));
}

TEST_CASE("alpha_SGD at the epochs of Akiba et al., as it is continuous and as it is printed") {
  RmspropWarmup continuous, literal;
  literal.literal = true;
  const auto at = [](const RmspropWarmup& o, double epoch) { return alpha_sgd(o, epoch); };
  for (const auto& [epoch, value] : {std::pair{0.0, 0.00916}, {5.0, 0.0677}, {9.0, 0.335}}) {
    CHECK(at(continuous, epoch) == Approx(value).epsilon(2e-3));
    CHECK(at(literal, epoch) == at(continuous, epoch));
  }
  CHECK(at(continuous, 9) == Approx(0.5 * std::exp(-0.4)).epsilon(1e-15));
  CHECK(at(continuous, 10) == 0.5);
  CHECK(at(continuous, 11) == Approx(0.7));
  CHECK(at(continuous, 12) == Approx(0.9));
  CHECK(at(literal, 10) == 0.5);
  CHECK(at(literal, 11) == Approx(0.9));
  CHECK(at(literal, 12) == Approx(1.3));
  for (const double epoch : {13.0, 40.0, 89.0}) {
    CHECK(at(continuous, epoch) == 1);
    CHECK(at(literal, epoch) == 1);
  }
  CHECK(at(continuous, 11.99) == at(continuous, 11));  // per epoch: the whole ones
  continuous.by_epoch = literal.by_epoch = false;
  CHECK(at(continuous, 11.25) == Approx(0.75));
  CHECK(at(literal, 11.25) == Approx(1));
  CHECK(at(continuous, 12.4999) == Approx(1).epsilon(1e-4));
  CHECK(at(literal, 12.4999) == Approx(1.5).epsilon(1e-4));
  CHECK(at(literal, 12.5) == 1);
  CHECK(at(continuous, 9.9999) == Approx(0.5).epsilon(1e-4));
}

TEST_CASE("RMSprop warm-up by hand: two steps, its two states, decay as in SGD") {
  OptimizerOptions o;
  o.kind = "rmsprop-warmup";
  set_variant_defaults(o);
  o.weight_decay = 0.1;
  const Optimizer optimizer = make_optimizer(o);
  CHECK(optimizer_states(optimizer) == 2);
  CHECK(optimizer_states(make_optimizer({})) == 1);
  Tiny t;
  double w = 3, v = 0, m = 0;
  const auto expect = [&](double rate, double alpha) {
    const double g = 0.24 + 0.1 * w;
    m = 0.99 * m + 0.01 * g * g;
    v = 0.9 * v + (alpha + (1 - alpha) * 3e-4 / rate / (std::sqrt(m) + 1e-8)) * g;
    w -= rate * v;
    CHECK(t.w(0, 0) == Approx(w));
    CHECK(t.arena.state(0)[0] == Approx(v));
    CHECK(t.arena.state(1)[0] == Approx(m));
  };
  t.step(optimizer, 0.01, 0.01, 0);
  expect(0.01, 0.5 * std::exp(-4.0));
  CHECK(t.w(2) == Approx(1 - 0.01 * (0.5 * std::exp(-4.0) * 0.25) -
                         (1 - 0.5 * std::exp(-4.0)) * 3e-4 / 0.1));  // a norm: no decay; sqrt(m) = 0.1 |g|
  t.step(optimizer, 0.02, 0.01, 11.5);
  expect(0.02, 0.7);
  t.step(optimizer, 0.02, 0.02, 20);  // plain SGD from here on, the second state still kept
  expect(0.02, 1.0);
}

}  // namespace convoy
