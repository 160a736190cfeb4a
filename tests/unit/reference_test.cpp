#include "backends/reference/reference.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "backends/reference/machine.h"
#include "net/resnet.h"

namespace convoy {
namespace {

// Small integers: every sum is exact in f32, whatever the order.
std::vector<float> integers(size_t count, uint64_t stream) {
  std::vector<float> values(count);
  const Random random(11, stream);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(random.bits(i) % 7) - 3.0f;
  return values;
}

struct Seven {  // the definition: seven loops
  Conv op;
  Shape src, dst;
  int images;
  template <class F>
  void each(F f) const {
    const int in = src.channels / op.groups, out = dst.channels / op.groups;
    for (int n = 0; n < images; ++n)
      for (int o = 0; o < dst.channels; ++o)
        for (int y = 0; y < dst.height; ++y)
          for (int x = 0; x < dst.width; ++x)
            for (int i = 0; i < in; ++i)
              for (int ky = 0; ky < op.kernel.height; ++ky)
                for (int kx = 0; kx < op.kernel.width; ++kx) {
                  const int row = y * op.stride.height - op.padding.height + ky;
                  const int column = x * op.stride.width - op.padding.width + kx;
                  if (row < 0 || row >= src.height || column < 0 || column >= src.width) continue;
                  const int channel = o / out * in + i;
                  f(static_cast<size_t>(((n * src.channels + channel) * src.height + row) * src.width +
                                        column),
                    static_cast<size_t>(((o * in + i) * op.kernel.height + ky) * op.kernel.width + kx),
                    static_cast<size_t>(((n * dst.channels + o) * dst.height + y) * dst.width + x));
                }
  }
};

void check_conv(Shape src, Conv op) {
  GraphBuilder build("conv", src);
  build.conv("conv", 0, op, {});
  const Program program = lower(build.finish(), 2, {.input_gradient = true});
  Arena arena(program.graph, program.layout, 0);
  const Shape dst = program.graph.nodes[1].shape;
  const auto x = integers(static_cast<size_t>(2 * src.elements()), 1);
  const auto dy = integers(static_cast<size_t>(2 * dst.elements()), 2);
  const auto w = integers(arena.param(0).size(), 3);
  std::copy(w.begin(), w.end(), arena.param(0).begin());
  std::vector<float> y(dy.size(), op.bias ? 2.0f : 0.0f), dx(x.size()), dw(w.size());
  if (op.bias) std::fill(arena.param(1).begin(), arena.param(1).end(), 2.0f);
  Seven{op, src, dst, 2}.each([&](size_t s, size_t k, size_t d) {
    y[d] += w[k] * x[s];
    dx[s] += w[k] * dy[d];
    dw[k] += dy[d] * x[s];
  });
  reference::Machine<float> machine(program, arena, 3);
  machine.train({.images = x, .top_gradient = dy}, {});
  const auto vector = [](auto span) { return std::vector<float>(span.begin(), span.end()); };
  CHECK(vector(machine.value(1)) == y);
  CHECK(vector(machine.gradient(0)) == dx);
  CHECK(vector(arena.param_grad(0)) == dw);
}

Graph little_resnet() {
  ResnetOptions options;
  options.depth = 18;
  options.width = 8;
  options.classes = 10;
  options.input = 32;
  options.stem = ResnetOptions::Stem::small;
  options.zero_gamma = false;
  return resnet(options);
}

}  // namespace

TEST_CASE("reference: convolution is its definition, exactly") {
  check_conv({3, 9, 8}, {5, {3, 3}, {1, 1}, {1, 1}, 1, false});
  check_conv({6, 9, 8}, {4, {3, 2}, {2, 3}, {2, 0}, 2, true});
  check_conv({8, 5, 5}, {16, {1, 1}, {2, 2}, {0, 0}, 4, false});
  check_conv({3, 23, 23}, {40, {11, 11}, {4, 4}, {2, 2}, 1, true});
}

TEST_CASE("reference: a training step does not depend on threads, and a second one gives the same bits") {
  const Program program = lower(little_resnet(), 4, {.bucket_bytes = 100000});
  Arena one(program.graph, program.layout, 0), three(program.graph, program.layout, 0);
  one.initialize(5);
  three.initialize(5);
  const auto images = integers(4 * 3 * 32 * 32, 4);
  const std::vector<int32_t> labels{0, 9, -1, 3};
  auto a = make_reference(1)->compile(program, one), b = make_reference(3)->compile(program, three);
  std::vector<BucketId> ready;
  a->train({.images = images, .labels = labels}, [&](BucketId bucket, Event) { ready.push_back(bucket); });
  b->train({.images = images, .labels = labels}, {});
  REQUIRE(ready.size() == program.layout.buckets.size());
  REQUIRE(ready.size() > 3);
  for (size_t i = 0; i < ready.size(); ++i) CHECK(ready[i] == static_cast<BucketId>(i));
  const auto vector = [](Arena& arena) {
    return std::vector<float>(arena.grads().begin(), arena.grads().end());
  };
  CHECK(vector(one) == vector(three));
  b->train({.images = images, .labels = labels}, {});
  CHECK(vector(one) == vector(three));
  const Totals first = a->totals(), twice = b->totals();
  CHECK(first.images == 3);
  CHECK(twice.images == 6);
  CHECK(twice.loss == 2 * first.loss);
  CHECK(a->totals() == Totals{});
}

TEST_CASE("reference: buckets are called when their gradients are final") {
  const Program program = lower(little_resnet(), 2, {.bucket_bytes = 50000});
  Arena arena(program.graph, program.layout, 0);
  arena.initialize(5);
  const auto images = integers(2 * 3 * 32 * 32, 4);
  const std::vector<int32_t> labels{0, 1};
  auto plan = make_reference(2)->compile(program, arena);
  std::vector<std::vector<float>> seen;
  plan->train({.images = images, .labels = labels}, [&](BucketId bucket, Event) {
    const auto grads = arena.grads(bucket);
    seen.emplace_back(grads.begin(), grads.end());
  });
  for (size_t b = 0; b < seen.size(); ++b) {
    const auto grads = arena.grads(static_cast<BucketId>(b));
    CHECK(seen[b] == std::vector<float>(grads.begin(), grads.end()));
  }
}

TEST_CASE("reference: batch norm reports the minibatch's statistics and infers with the running ones") {
  GraphBuilder build("norm", {1, 2, 2});
  build.batchnorm("n", 0, {0.5f, 0.9f, true, true});
  const Graph graph = build.finish();
  const Program training = lower(graph, 1);
  Arena arena(graph, training.layout, 0);
  arena.initialize(1);
  reference::Machine<float> machine(training, arena, 1);
  const std::vector<float> x{1, 3, 5, 7}, top(4, 1.0f);  // mean 4, variance 5, or 20/3 from n-1
  machine.train({.images = x, .top_gradient = top}, {});
  CHECK(arena.stat_grad(0)[0] == 4.0f);
  CHECK(arena.stat_grad(1)[0] == Approx(20.0 / 3));
  CHECK(machine.value(1)[0] == Approx(-3 / std::sqrt(5.5)));
  arena.stat(0)[0] = 1.0f;
  arena.stat(1)[0] = 3.5f;
  reference::Machine<float> inference(lower(graph, 1, {.mode = Mode::inference}), arena, 1);
  inference.infer({.images = x});
  CHECK(inference.value(1)[3] == Approx(3.0));  // (7-1)/sqrt(3.5+0.5)
  CHECK(arena.stat_grad(0)[0] == 4.0f);         // untouched
}

TEST_CASE("reference: dropout has no effect in inference") {
  GraphBuilder build("drop", {8, 4, 4});
  build.dropout("d", 0, 0.5f);
  const Graph graph = build.finish();
  const Program program = lower(graph, 1, {.mode = Mode::inference});
  Arena arena(graph, program.layout, 0);
  reference::Machine<float> machine(program, arena, 1);
  const auto x = integers(128, 1);
  machine.infer({.images = x});
  CHECK(std::vector<float>(machine.value(1).begin(), machine.value(1).end()) == x);
}

TEST_CASE("reference: a NaN is not hidden by ReLU or pooling") {
  GraphBuilder build("nan", {1, 2, 2});
  build.pool("p", build.relu("r", 0), {Pool::Kind::max, {2, 2}, {2, 2}, {0, 0}});
  const Graph graph = build.finish();
  const Program program = lower(graph, 1, {.mode = Mode::inference});
  Arena arena(graph, program.layout, 0);
  reference::Machine<float> machine(program, arena, 1);
  const std::vector<float> x{1, NAN, 3, 2};
  machine.infer({.images = x});
  CHECK(std::isnan(machine.value(2)[0]));
}

}  // namespace convoy
