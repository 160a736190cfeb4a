#include "runner.h"

#include <algorithm>

#include "base/random.h"

namespace convoy::parity {

void fill_integers(std::span<float> to, uint64_t seed, int range, float unit, uint32_t keep_one_of) {
  const Random random(seed, stream_of("integers"));
  const auto values = static_cast<uint32_t>(2 * range + 1);
  for (size_t i = 0; i < to.size(); i += 4) {
    const Philox4 words = random.block(i / 4);
    for (size_t j = i; j < std::min(i + 4, to.size()); ++j) {
      const uint32_t word = words[j - i];
      const bool kept = (word >> 16) % keep_one_of == 0;
      to[j] = kept ? unit * static_cast<float>(static_cast<int>((word & 0xffff) % values) - range) : 0.0f;
    }
  }
}

void fill_normal(std::span<float> to, uint64_t seed) {
  const Random random(seed, stream_of("normal"));
  for (size_t i = 0; i < to.size(); ++i)
    to[i] = static_cast<float>(normal(random.bits(2 * i), random.bits(2 * i + 1)));
}

Batch Numbers::batch() const {
  Batch batch;
  batch.images = images;
  batch.labels = labels;
  batch.top_gradient = top;
  batch.seed = 7;
  return batch;
}

std::optional<Difference> run_both(const Program& program, Backend& oracle, Backend& subject,
                                   const Numbers& numbers, const std::function<void(Arena&)>& fill,
                                   const RunOptions& options) {
  Program changed = program;
  if (options.change_program) options.change_program(changed);
  Arena a(program.graph, program.layout, 0);
  Arena b(changed.graph, changed.layout, 0, [&](size_t bytes) { return subject.allocate(bytes); });
  fill(a);
  fill(b);
  if (options.change_weights) options.change_weights(b);
  a.weights_changed();
  b.weights_changed();
  const auto plan_a = oracle.compile(program, a, {.keep_values = true});
  const auto plan_b = subject.compile(changed, b,
                                      {.keep_values = options.keep_values,
                                       .allow_reference_kernels = options.allow_reference_kernels,
                                       .winograd = options.winograd});
  const Batch batch = numbers.batch();
  for (Plan* plan : {plan_a.get(), plan_b.get()})
    program.mode == Mode::training ? plan->train(batch, [](BucketId, Event) {}) : plan->infer(batch);
  return first_difference(program, {plan_a.get(), &a}, {plan_b.get(), &b}, options.k, options.seen);
}

std::optional<Difference> run_problem(const Problem& problem, Backend& oracle, Backend& subject,
                                      RunOptions options) {
  LowerOptions lowering;
  lowering.input_gradient = true;
  const Program program = lower(graph_of(problem, options.behind_conv), problem.images, lowering);
  Numbers numbers;
  numbers.images.resize(static_cast<size_t>(problem.src.elements() * problem.images));
  numbers.labels.resize(static_cast<size_t>(problem.images));
  numbers.top.resize(static_cast<size_t>(program.graph.nodes.back().shape.elements() * problem.images));
  for (size_t i = 0; i < numbers.labels.size(); ++i)
    numbers.labels[i] =
        i == 1 ? -1 : static_cast<int32_t>(i * 7919 % static_cast<size_t>(problem.src.channels));
  float unit = 1.0f;
  if (const auto* pool = std::get_if<Pool>(&problem.op); pool != nullptr && pool->kind == Pool::Kind::average)
    unit = static_cast<float>(pool->kernel.height * pool->kernel.width);
  if (exact(problem)) {
    fill_integers(numbers.images, 1, options.range, unit, options.keep_one_of);
    fill_integers(numbers.top, 2, options.range, unit, options.keep_one_of);
  } else {
    fill_normal(numbers.images, 1);
    fill_normal(numbers.top, 2);
    options.k = std::max(options.k, 8.0);
  }
  return run_both(
      program, oracle, subject, numbers,
      [&](Arena& arena) {
        fill_integers(arena.weights(), 3, options.range, 1.0f, options.keep_one_of);
        if (!options.behind_conv) return;
        const std::span<float> identity = arena.param(0);
        const auto channels = static_cast<size_t>(problem.src.channels);
        for (size_t i = 0; i < identity.size(); ++i) identity[i] = i % (channels + 1) == 0 ? 1.0f : 0.0f;
      },
      options);
}

std::string repeat(const Problem& problem) {
  return "to repeat this alone: CONVOY_PROBLEM='" + problem.text() + "' bin/test_parity 'one problem'";
}

}  // namespace convoy::parity
