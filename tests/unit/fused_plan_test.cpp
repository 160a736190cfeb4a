// The fused plans that train: what the recipe says of every network, and that fusion, padding, graphs, loss scales and
// repetition change no bit of an f32 gradient.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "backends/fused/fused.h"
#include "base/error.h"
#include "net/alexnet.h"
#include "net/resnet.h"

namespace convoy::fused {
namespace {

// Every fusion and every operation: batch norm in groups with ReLU, with Add and ReLU, by itself; convolutions with bias
// and ReLU, in groups of channels that padding tears; a value with three readers; pooling, LRN, dropout, the loss.
Graph everything() {
  const Init normal{Init::Kind::normal, 0.3f};
  const BatchNorm norm{.group = 2};
  GraphBuilder g("everything", {3, 12, 12});
  int x = g.conv("stem", 0, {12, {3, 3}, {1, 1}, {1, 1}, 1, true}, normal, {Init::Kind::constant, 0.1f});
  x = g.relu("stem.relu", x);
  int y = g.relu("a.relu",
                 g.batchnorm("a.norm", g.conv("a", x, {12, {3, 3}, {1, 1}, {1, 1}, 3, false}, normal), norm));
  y = g.batchnorm("b.norm",
                  g.conv("b", y, {12, {1, 1}, {1, 1}, {0, 0}, 1, true}, normal, {Init::Kind::constant, 0.2f}),
                  norm);
  int s = g.batchnorm("s.norm", g.conv("s", x, {12, {1, 1}, {1, 1}, {0, 0}, 1, false}, normal),
                      {.affine = false, .group = 4});
  x = g.relu("block.relu", g.add("block", y, s));
  y = g.lrn("lrn", x, {.size = 3, .alpha = 0.1f});
  x = g.relu("second.relu", g.add("second", g.batchnorm("c.norm", y, norm), x));
  x = g.pool("max", x, {Pool::Kind::max, {3, 3}, {2, 2}, {1, 1}});
  x = g.pool("average", g.dropout("drop", x, 0.25f), {Pool::Kind::average, {2, 2}, {2, 2}, {0, 0}});
  x = g.relu("hidden.relu", g.linear("hidden", x, {10, true}, normal));
  g.softmax_loss("loss", g.linear("logits", x, {7, true}, normal), 0.1f);
  return g.finish();
}

Graph alexnet_of(AlexnetOptions::Kind kind) {
  AlexnetOptions options;
  options.kind = kind;
  options.input = 67;
  return alexnet(options);
}

constexpr int images = 4;

struct Given {
  std::vector<float> pixels;
  std::vector<int32_t> labels{3, 0, -1, 6};
  Given() {
    const Random random(3, 1);
    for (size_t i = 0; i < size_t{images} * 3 * 12 * 12; ++i)
      pixels.push_back(static_cast<float>(2 * unit(random.bits(i)) - 1));
  }
  Batch batch(float loss_scale = 1) const {
    Batch batch;
    batch.images = pixels, batch.labels = labels, batch.seed = 5, batch.step = 9,
    batch.loss_scale = loss_scale;
    return batch;
  }
};

struct Setting {
  bool keep_values = false, graph = true;
  int align = 1, threads = 1, runs = 1;
  float loss_scale = 1;
};

std::unique_ptr<Backend> backend_of(const Setting& setting, Precision precision = Precision::f32) {
  return make_fused("fused", make_host_device({.threads = setting.threads, .align = setting.align}),
                    {.precision = precision, .graph = setting.graph, .threads = setting.threads});
}

// Everything that a run hands out: gradients and statistics, the gradient at the input, the totals.
std::vector<float> train(const Setting& setting) {
  const Graph graph = everything();
  const Program program = lower(graph, images, {.bucket_bytes = 4000, .input_gradient = true});
  Arena arena(graph, program.layout, 0);
  arena.initialize(7);
  const auto plan = backend_of(setting)->compile(program, arena, {.keep_values = setting.keep_values});
  const Given given;
  for (int run = 0; run < setting.runs; ++run) {
    std::ranges::fill(arena.grads(), -1.0f);
    plan->train(given.batch(setting.loss_scale), {});
  }
  std::vector<float> results;
  for (size_t p = 0; p < graph.params.size(); ++p)
    for (float value : arena.param_grad(static_cast<int>(p))) results.push_back(value);
  for (size_t s = 0; s < graph.stats.size(); ++s)
    for (float value : arena.stat_grad(static_cast<int>(s))) results.push_back(value);
  std::vector<float> input(given.pixels.size());
  REQUIRE(plan->peek(Peek::gradient, 0, input));
  results.insert(results.end(), input.begin(), input.end());
  const Totals totals = plan->totals();
  CHECK(totals.images == 3 * setting.runs);
  CHECK(totals.nonfinite == 0);
  CHECK(totals.loss > 0);
  results.push_back(static_cast<float>(totals.loss / setting.runs));
  return results;
}

}  // namespace

TEST_CASE("fused plan: no bit depends on fusion, graphs, threads, repetition or the loss scale") {
  const std::vector<float> expected = train({});
  CHECK(std::ranges::count(expected, -1.0f) == 0);
  CHECK(train({}) == expected);
  CHECK(train({.keep_values = true}) == expected);
  CHECK(train({.graph = false}) == expected);
  CHECK(train({.runs = 3}) == expected);
  CHECK(train({.graph = false, .runs = 3}) == expected);
  CHECK(train({.threads = 3}) == expected);
  CHECK(train({.loss_scale = 1024}) == expected);
}

TEST_CASE("fused plan: padded channels change nothing but the order of sums") {
  const std::vector<float> expected = train({}), padded = train({.align = 8});
  REQUIRE(padded.size() == expected.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < padded.size(); ++i) {
    difference += std::pow(static_cast<double>(padded[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  CHECK(difference <= norm * 0x1p-40);  // zeros are added; a dense filter of groups adds more of them
  CHECK(train({.keep_values = true, .align = 8}) == padded);
}

TEST_CASE("fused plan: inference with batch norms inside convolutions is inference without") {
  const Graph graph = everything();
  const Program program = lower(graph, images, {.mode = Mode::inference});
  const int logits = graph.nodes.back().inputs[0];
  const auto infer = [&](const Setting& setting) {
    Arena arena(graph, program.layout, 0);
    arena.initialize(7);
    const Random random(4, 4);
    for (size_t s = 0; s < graph.stats.size(); ++s)
      for (float& value : arena.stat(static_cast<int>(s))) value += static_cast<float>(unit(random.bits(s)));
    const auto plan = backend_of(setting)->compile(program, arena, {.keep_values = setting.keep_values});
    const Given given;
    plan->infer(given.batch());
    plan->infer(given.batch());
    std::vector<float> values(images * 7);
    REQUIRE(plan->peek(Peek::value, logits, values));
    CHECK(plan->totals().images == 6);
    CHECK(plan->totals() == Totals{});
    return std::pair{values, plan->info()};
  };
  const auto [expected, whole] = infer({.keep_values = true});
  for (const int align : {1, 8}) {
    const auto [values, fused] = infer({.align = align});
    for (size_t i = 0; i < values.size(); ++i)
      CHECK(values[i] == Approx(expected[i]).epsilon(1e-5).margin(1e-5));
    const auto steps = [](const PlanInfo& info, const std::string& what) {
      return std::ranges::count_if(info.steps,
                                   [&](const StepInfo& s) { return s.implementation.starts_with(what); });
    };
    CHECK(steps(whole, "convoy:scale and shift") == 4);
    CHECK(steps(fused, "convoy:scale and shift") == 1);  // of the one that follows no convolution
    CHECK(steps(fused, "fused into") > steps(whole, "fused into"));
  }
}

TEST_CASE("fused plan: buckets come in ascending order, each complete") {
  const Graph graph = everything();
  const Program program = lower(graph, images, {.bucket_bytes = 4000});
  REQUIRE(program.layout.buckets.size() > 3);
  Arena arena(graph, program.layout, 0);
  arena.initialize(7);
  const auto plan = backend_of({})->compile(program, arena, {});
  const Given given;
  for (int run = 0; run < 3; ++run) {
    std::ranges::fill(arena.grads(), -1.0f);
    std::vector<std::vector<float>> seen;
    plan->train(given.batch(), [&](BucketId bucket, Event event) {
      CHECK(bucket == static_cast<BucketId>(seen.size()));
      CHECK(event.handle == nullptr);
      seen.emplace_back(arena.grads(bucket).begin(), arena.grads(bucket).end());
    });
    REQUIRE(seen.size() == program.layout.buckets.size());
    for (size_t b = 0; b < seen.size(); ++b)
      CHECK(std::ranges::equal(seen[b], arena.grads(static_cast<BucketId>(b))));
  }
}

TEST_CASE(
    "fused plan: changed weights are seen when the arena says so, and a run that was given up leaves nothing behind") {
  const Graph graph = everything();
  const Program program = lower(graph, images);
  Arena arena(graph, program.layout, 0);
  arena.initialize(7);
  const auto plan = backend_of({})->compile(program, arena, {});
  const Given given;
  const auto loss = [&] {
    plan->train(given.batch(), {});
    return plan->totals().loss;
  };
  const int64_t first = loss();
  for (float& weight : arena.param(0)) weight *= 2;
  arena.weights_changed();
  CHECK_THROWS_WITH(plan->train(given.batch(), [](BucketId, Event) { fail("a rank was lost"); }),
                    "a rank was lost");
  plan->totals();
  const int64_t second = loss();
  CHECK(second != first);
  for (float& weight : arena.param(0)) weight /= 2;
  arena.weights_changed();
  CHECK(loss() == first);
}

TEST_CASE("fused plan: batches that do not fit are refused") {
  const Graph graph = everything();
  const Program program = lower(graph, images);
  Arena arena(graph, program.layout, 0);
  const auto plan = backend_of({})->compile(program, arena, {});
  const Given given;
  Batch batch = given.batch();
  batch.workers = 3;
  CHECK_THROWS_WITH(plan->train(batch, {}), Catch::Contains("4 images cannot be shared by 3 workers"));
  batch = given.batch();
  batch.images = batch.images.first(10);
  CHECK_THROWS_WITH(plan->train(batch, {}), Catch::Contains("a batch of 10 numbers"));
  Given wrong;
  wrong.labels[1] = 7;
  CHECK_THROWS_WITH(plan->train(wrong.batch(), {}),
                    Catch::Contains("a label of 7 does not fit the network's 7 classes"));
  CHECK_THROWS_WITH(plan->infer(given.batch()), Catch::Contains("compiled for training"));
}

TEST_CASE("fused plan: where memory runs out the message says how many images would fit") {
  const Graph graph = everything();
  const auto compile = [&](int count, size_t memory) {
    const Program program = lower(graph, count);
    Arena arena(graph, program.layout, 0);
    auto device = std::shared_ptr<Device>(make_host_device({.threads = 1, .memory = memory}));
    const auto plan = make_fused("fused", device)->compile(program, arena, {});
    return device->facts().memory - device->facts().free;
  };
  const size_t of_16 = compile(16, 0);
  CHECK(compile(16, of_16) == of_16);
  const auto message = Catch::Matches(
      "everything: 64 images a worker do not fit into the memory of the device \\([0-9.]+ MB of memory were asked for "
      "where [0-9.]+ of [0-9.]+ MB are free\\); 16 would: give a smaller minibatch.images and more workers");
  CHECK_THROWS_WITH(compile(64, of_16), message);
  CHECK_THROWS_WITH(compile(4, 10'000), Catch::Contains("not even one would"));
}

TEST_CASE("fused plan: info names every step's implementation or what it was fused into") {
  const Graph graph = everything();
  const Program program = lower(graph, images);
  Arena arena(graph, program.layout, 0);
  const PlanInfo info = backend_of({})->compile(program, arena, {})->info();
  REQUIRE(info.steps.size() == program.steps.size());
  const auto of = [&](const std::string& name, Pass pass) {
    for (const StepInfo& step : info.steps)
      if (graph.nodes[static_cast<size_t>(step.node)].name == name && step.pass == pass) return step;
    FAIL("no step " << name);
    return StepInfo{};
  };
  for (const StepInfo& step : info.steps) CHECK_FALSE(step.implementation.empty());
  CHECK(of("stem.relu", Pass::forward).implementation == "fused into stem");
  CHECK(of("b.norm", Pass::forward).implementation == "fused into block");
  CHECK(of("b.norm", Pass::backward).implementation == "fused into block");
  CHECK(of("block.relu", Pass::backward).implementation == "convoy:sum");  // of its readers' gradients
  CHECK(of("block", Pass::backward)
            .implementation.starts_with("interpreter:norm backward, interpreter:norm backward"));
  CHECK(of("stem", Pass::forward).implementation == "interpreter:conv forward");
  CHECK(of("stem", Pass::forward).flops > 0);
  CHECK(info.activation_bytes > 0);
  CHECK(info.weight_bytes > 0);
}

TEST_CASE(
    "fused recipes of the networks: nothing is read before it is written, buckets end with their gradients") {
  const Fusion fusion = GENERATE(Fusion::norms, Fusion::main_loop);
  std::vector<Graph> graphs{resnet({.depth = 50, .norm = {}}), everything()};
  for (auto kind : {AlexnetOptions::Kind::original, AlexnetOptions::Kind::bn})
    graphs.push_back(alexnet_of(kind));
  for (const Graph& graph : graphs) {
    Arena arena(graph, lower(graph, images).layout, 0);
    for (const bool keep_values : {false, true})
      for (const Mode mode : {Mode::training, Mode::inference}) {
        INFO(graph.name << (keep_values ? ", all values kept" : ""));
        const Program program = lower(graph, images, {.mode = mode});
        const Recipe recipe = plan(program, arena, {.keep_values = keep_values}, Precision::bf16, 8, fusion);
        std::set<Id> written;
        for (size_t t = 0; t < recipe.tensors.size(); ++t)
          if (recipe.tensors[t].home == Tensor::Home::batch || recipe.tensors[t].home == Tensor::Home::arena)
            written.insert(static_cast<Id>(t));
        std::set<float*> grads_written;
        size_t bucket = 0;
        int step = 0;
        const auto run = [&](const Instruction& instruction) {
          for (Id id : reads(instruction.operation))
            if (!written.contains(id))
              FAIL(name_of(instruction.operation)
                   << " reads " << recipe.tensors[static_cast<size_t>(id)].name);
          for (Id id : writes(instruction.operation)) {
            written.insert(id);
            grads_written.insert(recipe.tensors[static_cast<size_t>(id)].address);
          }
        };
        for (const Instruction& instruction : recipe.refresh) run(instruction);
        for (size_t i = 0; i <= recipe.body.size(); ++i) {
          for (; bucket < recipe.bucket_end.size() && recipe.bucket_end[bucket] == static_cast<int>(i);
               ++bucket)
            for (const Segment& segment : program.layout.segments)
              if (segment.bucket == static_cast<int>(bucket))
                CHECK(grads_written.contains(arena.grads().data() + segment.offset));
          if (i == recipe.body.size()) break;
          CHECK(recipe.body[i].step >= step);
          step = recipe.body[i].step;
          run(recipe.body[i]);
        }
        CHECK(bucket == (mode == Mode::training ? program.layout.buckets.size() : 0));
        // What the library is given is padded, groups of channels included.
        for (const Instruction& instruction : recipe.body)
          if (const auto* norm = std::get_if<NormForward>(&instruction.operation))
            CHECK(recipe.tensors[static_cast<size_t>(norm->x)].c % 8 == 0);
      }
  }
}

}  // namespace convoy::fused
