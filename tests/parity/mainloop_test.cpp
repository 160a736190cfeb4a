// Main-loop fusion on the host device against the reference: whole networks within rounding, and one whose every number is
// a small multiple of a power of two, so that the tolerance is zero: its maps are sums of Walsh functions over 256
// positions, cut by ReLUs, whose variance is 1 (and epsilon 3) or 3 (and epsilon 1), and its gradients are such functions.
#include <bit>
#include <catch2/catch.hpp>

#include "backends/check/check.h"
#include "backends/fused/fused.h"
#include "backends/registry.h"
#include "net/resnet.h"
#include "runner.h"

namespace convoy::parity {
namespace {

constexpr int images = 4, map = 8, channels = 32;

std::unique_ptr<Backend> subject(int align = 1) {
  return make_fused("fused-mainloop", fused::make_host_device({.threads = 2, .align = align}),
                    {.fusion = fused::Fusion::main_loop});
}

// Folded into a main loop (n1), joined with a norm that waits (n2, n3), joined with a residual (n4), the join's gradient
// with the norms' sums (of the convolutions that read the ReLUs first), and one convolution without a norm.
Graph walsh() {
  const BatchNorm norm{.epsilon = 3.0f};
  const Conv point{channels, {1, 1}, {1, 1}, {0, 0}, 1, false},
      cross{channels, {3, 3}, {1, 1}, {1, 1}, 1, false};
  GraphBuilder g("walsh", {channels, map, map});
  int x = g.relu("r1", g.batchnorm("n1", g.conv("c1", 0, point, {}), norm));
  x = g.batchnorm("n2", g.conv("c2", x, cross, {}), norm);
  const int beside = g.batchnorm("n3", g.conv("c3", 0, point, {}), norm);
  x = g.relu("r2", g.add("a1", x, beside));
  const int y = g.batchnorm("n4", g.conv("c4", x, cross, {}), {.epsilon = 1.0f});
  x = g.relu("r3", g.add("a2", y, x));
  g.conv("c5", x, point, {});
  return g.finish();
}

// Filters: from input channel (5 k + shift) % 32 to output k, by `factor`, at the kernel's middle alone.
void fill_filter(std::span<float> to, int shift, float factor, int taps) {
  std::ranges::fill(to, 0.0f);
  for (int k = 0; k < channels; ++k)
    to[static_cast<size_t>((k * channels + (5 * k + shift) % channels) * taps + taps / 2)] =
        k % 2 == 0 ? factor : -factor;
}

Numbers walsh_numbers() {
  Numbers numbers;
  const auto walsh = [](uint32_t position, uint32_t pattern) {
    return std::popcount(position & pattern) % 2 == 0 ? 1.0f : -1.0f;
  };
  for (uint32_t i = 0; i < images; ++i)
    for (uint32_t c = 0; c < channels; ++c)
      for (uint32_t p = i * map * map; p < (i + 1) * map * map; ++p) {
        numbers.images.push_back(walsh(p, c + 1));
        numbers.top.push_back(walsh(p, 37 * (c + 1) % 256));
      }
  return numbers;
}

}  // namespace

TEST_CASE("main-loop fusion is exact where every number is") {
  const Graph graph = walsh();
  const Program program = lower(graph, images, {.input_gradient = true});
  const auto fill = [&](Arena& arena) {
    for (size_t p = 0; p < graph.params.size(); ++p) {
      const Param& param = graph.params[p];
      const std::span<float> to = arena.param(static_cast<int>(p));
      const std::string layer = param.name.substr(0, 2);
      if (param.role == Role::weight)
        fill_filter(to, static_cast<int>(p), layer == "c2" || layer == "c4" ? 2.0f : 1.0f,
                    param.shape[2] == 3 ? 9 : 1);
      else
        std::ranges::fill(to, param.role == Role::norm_scale ? 2.0f : 0.0f);
    }
  };
  Arena arena(graph, program.layout, 0);
  const auto plan = subject()->compile(program, arena);
  const auto uses = [&](const std::string& operation) {
    return std::ranges::count_if(plan->info().steps, [&](const StepInfo& step) {
      return step.implementation.find("interpreter:" + operation) != std::string::npos;
    });
  };
  CHECK(uses("conv and statistics") == 4);
  CHECK(uses("conv backward data and norm") == 3);
  CHECK(uses("norm") == 0);
  const auto oracle = make_backend("reference", 2);
  for (const int align : {1, 8}) {
    const auto difference =
        run_both(program, *oracle, *subject(align), walsh_numbers(), fill, {.keep_values = false});
    INFO((difference ? difference->text() : ""));
    CHECK_FALSE(difference.has_value());
  }
  // The comparison would see a sum that is off by its last bit.
  const auto off =
      run_both(program, *oracle, *subject(), walsh_numbers(), fill,
               {.keep_values = false, .change_weights = [](Arena& to) { to.param(0)[0] += 0x1p-20f; }});
  CHECK(off.has_value());
}

TEST_CASE("main-loop fusion agrees with the reference on whole networks") {
  struct Case {
    int depth, images, group;
    ResnetOptions::Variant variant;
  };
  using Variant = ResnetOptions::Variant;
  for (const Case& one : {Case{18, 4, 0, Variant::v1_5}, Case{50, 4, 0, Variant::v1_5},
                          Case{50, 4, 0, Variant::v1}, Case{18, 4, 2, Variant::v1_5}}) {
    ResnetOptions options;
    options.depth = one.depth;
    options.variant = one.variant;
    options.classes = 10;
    options.width = 32;
    options.input = 64;
    options.norm.group = one.group;
    options.zero_gamma = false;
    const Graph graph = resnet(options);
    INFO(graph.name << ", groups of " << one.group);
    const Program program = lower(graph, one.images, {.bucket_bytes = 1 << 16});
    const auto check = make_check(make_backend("reference", 2), subject(8));
    Arena arena(graph, program.layout, 0, [&](size_t bytes) { return check->allocate(bytes); });
    arena.initialize(11);
    const auto plan = check->compile(program, arena);
    Numbers numbers;
    numbers.images.resize(static_cast<size_t>(graph.nodes[0].shape.elements() * one.images));
    fill_normal(numbers.images, 1);
    for (int i = 0; i < one.images; ++i) numbers.labels.push_back(i == 1 ? -1 : i * 31 % 10);
    int buckets = 0;
    REQUIRE_NOTHROW(plan->train(numbers.batch(), [&](BucketId b, Event) { CHECK(b == buckets++); }));
    CHECK(buckets == static_cast<int>(program.layout.buckets.size()));
    CHECK(plan->totals().images == one.images - 1);
  }
}

}  // namespace convoy::parity
