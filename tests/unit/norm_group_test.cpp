// Batch norm over groups of images (Hoffer et al. 2017) by its definition, in double; what lower() refuses; and which
// workers' statistics are summed.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "backends/reference/machine.h"
#include "base/error.h"
#include "train/statistics.h"

namespace convoy {
namespace {

constexpr Shape shape{3, 2, 2};
constexpr int images = 6;
constexpr double epsilon = 0.25;

std::vector<float> numbers(size_t count, uint64_t stream) {
  std::vector<float> values(count);
  const Random random(21, stream);
  for (size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(normal(random.bits(2 * i), random.bits(2 * i + 1)));
  return values;
}

Graph one_norm(BatchNorm op) {
  GraphBuilder build("norm", shape);
  build.batchnorm("n", 0, op);
  return build.finish();
}

// One channel of one group: what y = gamma (x-m)/sqrt(v+eps) + beta is, and its gradients by the whole Jacobian
// d y_j / d x_i = gamma/s ((i==j) - 1/n - z_i z_j / n), z = (x-m)/s, s = sqrt(v+eps).
struct Channel {
  std::vector<double> y, d_x;
  double mean = 0, variance = 0, d_gamma = 0, d_beta = 0;

  Channel(const std::vector<double>& x, const std::vector<double>& d_y, double gamma, double beta) {
    const auto n = static_cast<double>(x.size());
    for (double value : x) mean += value / n;
    for (double value : x) variance += (value - mean) * (value - mean) / n;
    const double s = std::sqrt(variance + epsilon);
    std::vector<double> z;
    for (double value : x) z.push_back((value - mean) / s);
    for (size_t i = 0; i < x.size(); ++i) {
      y.push_back(gamma * z[i] + beta);
      d_gamma += d_y[i] * z[i];
      d_beta += d_y[i];
      double sum = 0;
      for (size_t j = 0; j < x.size(); ++j) sum += d_y[j] * gamma / s * ((i == j) - 1 / n - z[i] * z[j] / n);
      d_x.push_back(sum);
    }
    variance *= n / (n - 1);  // as running averages want it
  }
};

// Places in the NCHW minibatch of a group's elements of one channel.
std::vector<size_t> places(int group, int size, int channel) {
  std::vector<size_t> found;
  for (int image = group * size; image < (group + 1) * size; ++image)
    for (int p = 0; p < shape.height * shape.width; ++p)
      found.push_back(
          static_cast<size_t>((image * shape.channels + channel) * shape.height * shape.width + p));
  return found;
}

}  // namespace

TEST_CASE("reference: batch norm over groups is its definition, group by group") {
  const auto x = numbers(static_cast<size_t>(images * shape.elements()), 1), top = numbers(x.size(), 2);
  for (const int size : {1, 2, 3, 6}) {
    INFO("groups of " << size);
    const Graph graph = one_norm({static_cast<float>(epsilon), 0.9f, true, true, size});
    const Program program = lower(graph, images, {.input_gradient = true});
    ArenaOf<double> arena(graph, program.layout, 0);
    for (size_t c = 0; c < 3; ++c) {
      arena.param(0)[c] = 1.5 - static_cast<double>(c);
      arena.param(1)[c] = 0.5 * static_cast<double>(c);
    }
    reference::Machine<double> machine(program, arena, 2);
    machine.train({.images = x, .top_gradient = top}, {});
    for (int channel = 0; channel < shape.channels; ++channel) {
      const auto c = static_cast<size_t>(channel);
      double mean = 0, variance = 0, d_gamma = 0, d_beta = 0;
      for (int group = 0; group < images / size; ++group) {
        const std::vector<size_t> at = places(group, size, channel);
        std::vector<double> values, gradients;
        for (size_t e : at) {
          values.push_back(x[e]);
          gradients.push_back(top[e]);
        }
        const Channel expected(values, gradients, arena.param(0)[c], arena.param(1)[c]);
        for (size_t i = 0; i < at.size(); ++i) {
          CHECK(machine.value(1)[at[i]] == Approx(expected.y[i]).epsilon(1e-12).margin(1e-13));
          CHECK(machine.gradient(0)[at[i]] == Approx(expected.d_x[i]).epsilon(1e-11).margin(1e-13));
        }
        mean += expected.mean * size / images;
        variance += expected.variance * size / images;
        d_gamma += expected.d_gamma;
        d_beta += expected.d_beta;
      }
      CHECK(arena.stat_grad(0)[c] == Approx(mean).margin(1e-13));
      CHECK(arena.stat_grad(1)[c] == Approx(variance));
      CHECK(arena.param_grad(0)[c] == Approx(d_gamma).margin(1e-12));
      CHECK(arena.param_grad(1)[c] == Approx(d_beta).margin(1e-12));
    }
  }
}

TEST_CASE("groups matter in training alone") {
  const Graph graph = one_norm({.group = 2});
  CHECK(images_of(lower(graph, 4), BatchNorm{.group = 2}) == 2);
  CHECK(images_of(lower(graph, 4), BatchNorm{}) == 4);
  const Program inference = lower(graph, 3, {.mode = Mode::inference});  // no multiple of the group
  CHECK(images_of(inference, BatchNorm{.group = 2}) == 3);
  Arena arena(graph, inference.layout, 0);
  arena.initialize(1);
  reference::Machine<float> machine(inference, arena, 1);
  const auto x = numbers(static_cast<size_t>(3 * shape.elements()), 1);
  machine.infer({.images = x});
  for (size_t i = 0; i < x.size(); ++i) CHECK(machine.value(1)[i] == Approx(x[i]).epsilon(1e-4));
}

TEST_CASE("groups that do not fit are refused, naming the node and what does fit") {
  CHECK_THROWS_WITH(lower(one_norm({.group = 4}), 6),
                    Catch::Contains("n: a minibatch of 6 images cannot be cut into batch norm groups of 4"));
  CHECK_THROWS_WITH(one_norm({.group = -1}), Catch::Contains("batch norm group of -1 images"));
  GraphBuilder build("points", {3, 1, 1});
  build.batchnorm("lonely", 0, {.group = 1});
  CHECK_THROWS_WITH(lower(build.finish(), 4), Catch::Contains("lonely: batch norm over a single value"));
}

TEST_CASE("statistics of the first worker: the others give zeros, and only where asked") {
  for (const bool first_worker : {true, false}) {
    GraphBuilder build("two", shape);
    build.batchnorm("a", build.batchnorm("b", 0, {.first_worker = first_worker}), {});
    const Graph graph = build.finish();
    const Program program = lower(graph, 2, {.bucket_bytes = 64});
    Arena arena(graph, program.layout, 0);
    const int last = static_cast<int>(program.layout.buckets.size()) - 1;
    REQUIRE(last > 0);
    for (const int worker : {0, 1, 5}) {
      std::fill(arena.grads().begin(), arena.grads().end(), 3.0f);
      int sums = 0;
      const ReadyFn ready = with_statistics(worker, graph, arena, [&](BucketId bucket, Event) {
        ++sums;
        const float expected = bucket == last && worker > 0 && first_worker ? 0.0f : 3.0f;
        CHECK(arena.stat_grad(0)[1] == expected);  // of b: before it is summed
        CHECK(arena.stat_grad(1)[1] == expected);
        CHECK(arena.stat_grad(2)[1] == 3.0f);  // of a
        for (int p = 0; p < 4; ++p) CHECK(arena.param_grad(p)[0] == 3.0f);
      });
      for (int bucket = 0; bucket <= last; ++bucket) ready(bucket, {});
      CHECK(sums == last + 1);
    }
  }
}

}  // namespace convoy
