// Whole networks: fused plans on integers are exact, check:onednn and check:fused find nothing to report on the real ones, and
// values made again instead of kept change no bit.
#include <catch2/catch.hpp>
#include <cstring>

#include "backends/check/check.h"
#include "backends/registry.h"
#include "bf16.h"
#include "net/alexnet.h"
#include "net/resnet.h"
#include "runner.h"
#include "tests/support/subject.h"

namespace convoy::parity {

namespace {

// Everything that a plan fuses or shares: conv+bias+ReLU, sum+ReLU, a value with three readers, groups, max pooling,
// linear+ReLU. Small enough that integers stay exact through all of it.
Graph every_fusion() {
  GraphBuilder g("every-fusion", {3, 12, 12});
  const int stem = g.relu("stem.relu", g.conv("stem", 0, Conv{16, {3, 3}, {1, 1}, {1, 1}, 1, true}, {}));
  const int left = g.relu("left.relu", g.conv("left", stem, Conv{16, {1, 1}, {1, 1}, {0, 0}, 2, true}, {}));
  const int sum = g.relu("sum.relu", g.add("sum", left, stem));
  const int twice = g.add("twice", sum, stem);
  const int pool = g.pool("pool", twice, Pool{Pool::Kind::max, {3, 3}, {2, 2}, {1, 1}});
  const int rectified = g.relu("pool.relu", pool);
  const int hidden = g.relu("hidden.relu", g.linear("hidden", rectified, Linear{20, true}, {}));
  g.linear("output", hidden, Linear{7, true}, {});
  return g.finish();
}

Numbers numbers_for(const Program& program, int classes) {
  Numbers n;
  n.images.resize(static_cast<size_t>(program.graph.nodes[0].shape.elements() * program.images));
  fill_normal(n.images, 1);
  for (int i = 0; i < program.images; ++i) n.labels.push_back(i == 1 ? -1 : i * 31 % classes);
  return n;
}

void check_network(const std::string& name, const Graph& graph, int images, int classes, Mode mode) {
  INFO(name << " on " << graph.name << (mode == Mode::training ? ", training" : ", inference"));
  LowerOptions lowering;
  lowering.mode = mode;
  const Program program = lower(graph, images, lowering);
  const auto backend = make_backend(name, 2);
  Arena arena(graph, program.layout, 0, [&](size_t bytes) { return backend->allocate(bytes); });
  arena.initialize(11);
  const auto plan = backend->compile(program, arena);
  const Numbers numbers = numbers_for(program, classes);
  int buckets = 0;
  if (mode == Mode::training)
    REQUIRE_NOTHROW(plan->train(numbers.batch(), [&](BucketId b, Event) { CHECK(b == buckets++); }));
  else
    REQUIRE_NOTHROW(plan->infer(numbers.batch()));
  CHECK(buckets == (mode == Mode::training ? static_cast<int>(program.layout.buckets.size()) : 0));
  const Totals totals = plan->totals();
  CHECK(totals.images == images - 1);
  CHECK(plan->totals() == Totals{});
}

Graph small_resnet(int depth, ResnetOptions::Variant variant, int group = 0) {
  ResnetOptions options;
  options.depth = depth;
  options.variant = variant;
  options.classes = 10;
  options.input = 64;
  options.norm.group = group;
  options.zero_gamma = false;  // a gamma of zero would hide a branch's mistakes
  return resnet(options);
}

}  // namespace

// Of images one of `keep_images` numbers, of weights one of `keep_weights`: the rest are zero.
void check_exact(Backend& subject, uint32_t keep_images, uint32_t keep_weights) {
  const auto oracle = make_backend("reference", 2);
  LowerOptions lowering;
  lowering.input_gradient = true;
  const Program program = lower(every_fusion(), 2, lowering);
  Numbers numbers;
  numbers.images.resize(2 * 3 * 12 * 12);
  numbers.top.resize(2 * 7);
  fill_integers(numbers.images, 1, 1, 1.0f, keep_images);
  fill_integers(numbers.top, 2, 1);
  for (bool keep_values : {true, false}) {
    const auto difference =
        run_both(program, *oracle, subject, numbers,
                 [&](Arena& arena) { fill_integers(arena.weights(), 3, 1, 1.0f, keep_weights); },
                 {.keep_values = keep_values});
    INFO((difference ? difference->text() : ""));
    CHECK_FALSE(difference.has_value());
  }
}

TEST_CASE("fused plans are exact on integers") {
  const std::string name = GENERATE(from_range(subject_backends()));
  INFO(name);
  check_exact(*make_backend(name, 2), 1, 4);
}

TEST_CASE("fused plans in bf16 are exact on integers whose sums fit in eight bits") {
  if (const auto subject = bf16_backend(2)) check_exact(*subject, 4, 8);
}

TEST_CASE("the backends agree with the reference on whole networks") {
  const std::string name = "check:" + GENERATE(from_range(subject_backends()));
  const Graph resnet18 = small_resnet(18, ResnetOptions::Variant::v1_5);
  check_network(name, resnet18, 4, 10, Mode::inference);
  check_network(name, resnet18, 4, 10, Mode::training);
  const bool all = name == "check:onednn";  // what is quick of the slower one
  if (all) check_network(name, small_resnet(50, ResnetOptions::Variant::v1), 3, 10, Mode::training);
  check_network(name, small_resnet(18, ResnetOptions::Variant::v1_5, 2), 4, 10, Mode::training);
  check_network(name, small_resnet(18, ResnetOptions::Variant::v1_5, 2), 3, 10, Mode::inference);
  for (auto kind :
       {AlexnetOptions::Kind::original, AlexnetOptions::Kind::bn, AlexnetOptions::Kind::torchvision}) {
    AlexnetOptions options;
    options.kind = kind;
    options.classes = 10;
    const bool large = kind == AlexnetOptions::Kind::torchvision;  // takes 224 alone
    if (large && !all) continue;
    if (!large) options.input = 67;
    check_network(name, alexnet(options), 2, 10, Mode::training);
    if (kind == AlexnetOptions::Kind::bn) check_network(name, alexnet(options), 2, 10, Mode::inference);
  }
}

TEST_CASE("values made again for the backward pass change no bit and need less memory") {
  const Precision precision = GENERATE(Precision::f32, Precision::bf16);
  INFO(name_of(precision));
  const auto backend = precision == Precision::bf16 ? bf16_backend(2) : make_backend("onednn", 2);
  if (backend == nullptr) return;
  AlexnetOptions normed;
  normed.kind = AlexnetOptions::Kind::bn;
  normed.input = 67;
  const Graph graphs[] = {small_resnet(18, ResnetOptions::Variant::v1_5),
                          small_resnet(50, ResnetOptions::Variant::v1),
                          small_resnet(50, ResnetOptions::Variant::v1_5, 2), alexnet(normed)};
  for (const Graph& graph : graphs) {
    INFO(graph.name);
    const Program program =
        lower(graph, &graph == &graphs[0] ? 16 : 4);  // products of small maps in the first
    const Numbers numbers = numbers_for(program, 10);
    const auto gradients = [&](bool recompute, size_t& bytes) {
      Arena arena(graph, program.layout, 0);
      arena.initialize(11);
      const auto plan = backend->compile(program, arena, {.recompute = recompute});
      plan->train(numbers.batch(), [](BucketId, Event) {});
      bytes = plan->info().activation_bytes + plan->info().weight_bytes;
      return std::vector<float>(arena.grads().begin(), arena.grads().end());
    };
    size_t kept_bytes = 0, bytes = 0;
    const std::vector<float> kept = gradients(false, kept_bytes), made = gradients(true, bytes);
    CHECK(std::memcmp(kept.data(), made.data(), kept.size() * sizeof(float)) == 0);
    CHECK(bytes < kept_bytes);
  }
}

TEST_CASE("check names the first node that differs") {
  // A subject with its own idea of batch norm: the oracle is the same library with another epsilon in one node.
  struct Wrong final : Backend {
    std::unique_ptr<Backend> real = make_backend("onednn", 2);
    DeviceInfo device() const override { return real->device(); }
    std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                  const CompileOptions& options) override {
      Program changed = program;
      for (Node& node : changed.graph.nodes)
        if (node.name == "layer2.0.bn1") std::get<BatchNorm>(node.op).epsilon = 0.1f;
      return real->compile(changed, arena, options);
    }
    Vector& vector() override { return real->vector(); }
  };
  const Graph graph = small_resnet(18, ResnetOptions::Variant::v1_5);
  const Program program = lower(graph, 2);
  Arena arena(graph, program.layout, 0);
  arena.initialize(11);
  const auto backend = make_check(make_backend("reference", 2), std::make_unique<Wrong>());
  const auto plan = backend->compile(program, arena, {});
  const Numbers numbers = numbers_for(program, 10);
  CHECK_THROWS_WITH(plan->train(numbers.batch(), [](BucketId, Event) {}),
                    Catch::Contains("output of layer2.0.bn1 (batchnorm, forward)"));
}

}  // namespace convoy::parity
