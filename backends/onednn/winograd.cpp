#include "backends/onednn/winograd.h"

#include <omp.h>
#include <unistd.h>

#include <algorithm>

#include "backends/onednn/winograd_units.h"

namespace convoy::onednn::winograd {
namespace {

int64_t ceil_of(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t aligned(int64_t numbers) { return ceil_of(numbers, 16) * 16; }

// Where the system does not say: what a KNL core has of its tile's.
int64_t l2_of(const Cores& cores) {
  static const int64_t said = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return cores.l2_bytes > 0 ? cores.l2_bytes : said > 0 ? said : 512 << 10;
}

// Blocks of tiles and ranges of panels. Neither is part of any value.
struct ForwardDeal {
  int64_t room, blocks, splits, panels;
};
ForwardDeal deal_forward(const Units& on, const Shape& shape, const Cores& cores) {
  // A quarter of L2 for the transformed sources, since weights stream through it; and for these enough tiles to be worth reading.
  constexpr int64_t worth_reading = 28;
  const int64_t tile_bytes = 16 * 4 * (shape.inputs + 2 * on.block);
  const int64_t most =
      std::clamp<int64_t>(l2_of(cores) / 4 / tile_bytes / on.rows, ceil_of(worth_reading, on.rows), 8) *
      on.rows;
  const int64_t rounds = ceil_of(shape.tiles(), most * cores.threads);
  const int64_t room = ceil_of(ceil_of(shape.tiles(), rounds * cores.threads), on.rows) * on.rows;
  const int64_t blocks = ceil_of(shape.tiles(), room), all = shape.outputs / (2 * on.block);
  const int64_t panels = ceil_of(all, std::clamp<int64_t>(cores.threads / blocks, 1, all));
  return {room, blocks, ceil_of(all, panels), panels};
}

// Pieces of a weight gradient that stay in L2, and segments of tiles where there are few weights for the threads; these are
// summed in their order, so that their number is part of the value.
struct GradientDeal {
  int64_t inputs, outputs, across, pieces, segments, tiles;
};
GradientDeal deal_gradient(const Units& on, const Shape& shape, const Cores& cores) {
  const int64_t chunks = ceil_of(shape.tiles(), gradient_tiles),
                of_64 = std::max<int64_t>(1, shape.inputs * shape.outputs / (64 * 64));
  const int64_t each = ceil_of(chunks, std::min(ceil_of(cores.threads, of_64), chunks)),
                segments = ceil_of(chunks, each);
  const int64_t outputs = shape.outputs % 64 == 0 ? 64 : 2 * on.block, across = shape.outputs / outputs;
  const auto largest = [&](int64_t most) {
    int64_t inputs = on.block;
    while (2 * inputs <= most && shape.inputs % (2 * inputs) == 0) inputs *= 2;
    return inputs;
  };
  int64_t inputs = largest(128);  // the fewer pieces, the fewer transforms; but one for each thread
  if (4 * gradient_numbers(inputs, outputs) > l2_of(cores) * 3 / 4 ||
      shape.inputs / inputs * across * segments < cores.threads)
    inputs = largest(64);
  return {inputs, outputs, across, shape.inputs / inputs * across, segments, each * gradient_tiles};
}

int64_t weights_of(const Shape& shape) { return 9 * shape.inputs * shape.outputs; }

}  // namespace

const Units* units_for(std::string_view isa) {
#ifdef __x86_64__
  if (isa.starts_with("avx512_core")) return &avx512;
  if (isa.starts_with("avx2")) return &avx2;
#endif
  return nullptr;
}

int64_t block_of(const Units& on) { return on.block; }

bool fits(const Units& on, const Shape& shape) {
  const int64_t both = 2 * on.block;
  return shape.inputs % both == 0 && shape.outputs % both == 0 && shape.padding >= 0 && shape.padding <= 2 &&
         shape.out_height() > 0 && shape.out_width() > 0;
}

void transform(const Units& on, const Shape& shape, const float* weights, float* transformed) {
  const int64_t panels = shape.outputs / (2 * on.block);
#pragma omp parallel for schedule(static)
  for (int64_t panel = 0; panel < panels; ++panel) on.transform({&shape, weights, transformed, panel});
}

void transform_turned(const Units& on, const Shape& shape, const float* weights, float* transformed) {
  const int64_t panels = shape.inputs / (2 * on.block);
#pragma omp parallel for schedule(static)
  for (int64_t panel = 0; panel < panels; ++panel) on.transform_turned({&shape, weights, transformed, panel});
}

void scale(const Units& on, const Shape& shape, std::span<const float> factors, float* transformed) {
  const int64_t width = 2 * on.block, rows = 16 * shape.inputs;
#pragma omp parallel for schedule(static)
  for (int64_t panel = 0; panel < shape.outputs / width; ++panel)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t lane = 0; lane < width; ++lane)
        transformed[(panel * rows + row) * width + lane] *=
            factors[static_cast<size_t>(panel * width + lane)];
}

size_t forward_scratch(const Units& on, const Shape& shape, const Cores& cores) {
  return static_cast<size_t>(cores.threads * forward_numbers(on, shape, deal_forward(on, shape, cores).room));
}

void forward(const Units& on, const Shape& shape, const float* src, const float* transformed,
             const Tail& tail, float* dst, float* scratch, const Cores& cores) {
  const ForwardDeal deal = deal_forward(on, shape, cores);
  const int64_t numbers = forward_numbers(on, shape, deal.room), all = shape.outputs / (2 * on.block);
#pragma omp parallel for collapse(2) schedule(static) num_threads(cores.threads)
  for (int64_t block = 0; block < deal.blocks; ++block)
    for (int64_t split = 0; split < deal.splits; ++split) {
      const int64_t tile = block * deal.room, panel = split * deal.panels;
      on.forward({&shape, src, transformed, &tail, dst, tile, std::min(deal.room, shape.tiles() - tile),
                  deal.room, panel, std::min(deal.panels, all - panel),
                  scratch + omp_get_thread_num() * numbers});
    }
}

size_t weight_gradient_scratch(const Units& on, const Shape& shape, const Cores& cores) {
  const GradientDeal deal = deal_gradient(on, shape, cores);
  const int64_t partial = deal.segments > 1 ? deal.segments * weights_of(shape) : 0;
  return static_cast<size_t>(aligned(partial) + cores.threads * gradient_numbers(deal.inputs, deal.outputs));
}

void weight_gradient(const Units& on, const Shape& shape, const float* src, const float* dst_gradient,
                     float* gradient, float* scratch, const Cores& cores) {
  const GradientDeal deal = deal_gradient(on, shape, cores);
  const bool partial = deal.segments > 1;
  const int64_t weights = weights_of(shape), numbers = gradient_numbers(deal.inputs, deal.outputs);
  float* const rooms = scratch + (partial ? aligned(deal.segments * weights) : 0);
#pragma omp parallel for collapse(2) schedule(static) num_threads(cores.threads)
  for (int64_t segment = 0; segment < deal.segments; ++segment)
    for (int64_t piece = 0; piece < deal.pieces; ++piece) {
      const int64_t tile = segment * deal.tiles;
      on.gradient({&shape, src, dst_gradient, partial ? scratch + segment * weights : gradient, tile,
                   std::min(deal.tiles, shape.tiles() - tile), piece / deal.across * deal.inputs, deal.inputs,
                   piece % deal.across * deal.outputs, deal.outputs, rooms + omp_get_thread_num() * numbers});
    }
  if (!partial) return;
#pragma omp parallel for simd schedule(static) num_threads(cores.threads)
  for (int64_t i = 0; i < weights; ++i) {
    float sum = scratch[i];
    for (int64_t segment = 1; segment < deal.segments; ++segment) sum += scratch[segment * weights + i];
    gradient[i] = sum;
  }
}

}  // namespace convoy::onednn::winograd
