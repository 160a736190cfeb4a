// Recipes rewritten for libraries that do less in one operation (backends/fused/separate.h): a step of training and inference
// give the same bits as with the endings left where they were.
#include <catch2/catch.hpp>

#include <variant>
#include <vector>

#include "backends/fused/fused.h"
#include "backends/fused/separate.h"
#include "base/random.h"
#include "net/resnet.h"

namespace convoy::fused {
namespace {

std::vector<float> noise(size_t count) {
  std::vector<float> values(count);
  const Random random(5, 1);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(2 * unit(random.bits(i)) - 1);
  return values;
}

struct Bits {
  std::vector<float> gradients;
  Totals trained, inferred;
  bool operator==(const Bits&) const = default;
};

Bits bits_of(const Graph& graph, bool separate) {
  constexpr int images = 2;
  const auto backend = make_fused("fused", make_host_device({.threads = 2, .separate = separate}));
  const Program training = lower(graph, images), inference = lower(graph, images, {.mode = Mode::inference});
  Arena arena(graph, training.layout, 0);
  arena.initialize(3);
  const std::vector<float> input = noise(static_cast<size_t>(graph.nodes[0].shape.elements()) * images);
  const std::vector<int32_t> labels = {1, 3};
  const Batch batch{.images = input, .labels = labels};
  Bits bits;
  const auto train = backend->compile(training, arena);
  train->train(batch, [](BucketId, Event) {});
  bits.trained = train->totals();
  bits.gradients.assign(arena.grads().begin(), arena.grads().end());
  const auto infer = backend->compile(inference, arena);
  infer->infer(batch);
  bits.inferred = infer->totals();
  return bits;
}

Graph small_resnet() {
  ResnetOptions options;
  options.width = 8;
  options.classes = 10;
  options.input = 32;
  options.stem = ResnetOptions::Stem::small;
  return resnet(options);
}
Graph small_alexnet() {  // biases and ReLUs, no batch norm
  const Init weight{Init::Kind::normal, 0.1f}, bias{Init::Kind::constant, 0.1f};
  GraphBuilder to("small-alexnet", {3, 16, 16});
  int at = to.relu("relu1", to.conv("conv1", 0, {8, {3, 3}, {1, 1}, {1, 1}, 1, true}, weight, bias));
  at = to.relu("relu2", to.conv("conv2", at, {12, {3, 3}, {2, 2}, {1, 1}, 2, true}, weight, bias));
  at = to.relu("relu3", to.linear("fc3", at, {20, true}, weight, bias));
  to.softmax_loss("loss", to.linear("fc4", at, {10, true}, weight, bias), 0);
  return to.finish();
}

}  // namespace

TEST_CASE("separate recipes compute the same bits") {
  for (const Graph& graph : {small_resnet(), small_alexnet()}) {
    INFO(graph.name);
    const Bits together = bits_of(graph, false);
    REQUIRE(together.trained.images == 2);
    CHECK(bits_of(graph, true) == together);
  }
}

TEST_CASE("separate recipes: bare convolutions, masked norms with what they need, buckets where they ended") {
  for (const Mode mode : {Mode::training, Mode::inference}) {
    for (const Graph& graph : {small_resnet(), small_alexnet()}) {
      const Program program = lower(graph, 2, {.mode = mode, .bucket_bytes = 1 << 12});
      Arena arena(graph, program.layout, 0);
      const Recipe before = plan(program, arena, {}, Precision::f32, 1), after = separate(before);
      size_t endings = 0;
      for (const Instruction& instruction : before.body)
        if (const auto* conv = std::get_if<ConvForward>(&instruction.operation))
          endings += conv->scale >= 0 || conv->shift >= 0 || conv->addend >= 0 || conv->relu ? 1 : 0;
      CHECK(endings > 0);
      CHECK(after.body.size() == before.body.size() + endings);
      for (const Instruction& instruction : after.body) {
        if (const auto* conv = std::get_if<ConvForward>(&instruction.operation))
          CHECK((conv->scale < 0 && conv->shift < 0 && conv->addend < 0 && !conv->relu));
        if (const auto* norm = std::get_if<NormBackward>(&instruction.operation))
          CHECK((norm->mask < 0 || (norm->y >= 0 && norm->shift >= 0)));
      }
      REQUIRE(after.bucket_end.size() == before.bucket_end.size());
      for (size_t b = 0; b < before.bucket_end.size(); ++b) {
        const auto last = [b](const Recipe& recipe) {
          return writes(recipe.body[static_cast<size_t>(recipe.bucket_end[b] - 1)].operation);
        };
        CHECK(last(after) == last(before));
      }
    }
  }
}

}  // namespace convoy::fused
