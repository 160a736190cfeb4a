// 16-bit wires: every edge of the tree rounds, on whatever rank it lies; against a model that follows the definition of
// comm/wire.h element by element in double.
#include "comm/wire.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>

#include "comm/ladder.h"
#include "comm/shares.h"
#include "tests/support/rounding.h"
#include "world.h"

using namespace convoy;
using namespace convoy::testing;
using Catch::Matchers::Contains;

namespace {

// The test gradients reach 2^18: the second wire brings them into fp16's range, the first loses many to infinity.
const std::vector<Wire> wires{{Wire::Format::fp16, 1.0f},
                              {Wire::Format::fp16, 0x1p-10f},
                              {Wire::Format::bf16, 1.0f},
                              {Wire::Format::bf16, 0x1p+8f}};

struct Model {
  Wire wire;
  RangeErrors errors{};

  double round(float value) const {
    return wire.format == Wire::Format::fp16 ? to_fp16(value) : to_bf16(value);
  }
  double leaf(float gradient) {
    const double value = round(wire.scale * gradient);
    errors.overflows += std::isfinite(gradient) && std::isinf(value);
    errors.underflows += gradient != 0 && value == 0;
    return value;
  }
  double node(double left, double right) {
    const double sum = round(static_cast<float>(left) + static_cast<float>(right));
    errors.overflows += std::isfinite(left) && std::isfinite(right) && std::isinf(sum);
    return sum;
  }
  double tree(int step, size_t i, int first, int count) {
    if (count % 2 == 0)
      return node(tree(step, i, first, count / 2), tree(step, i, first + count / 2, count / 2));
    double sum = leaf(gradient(step, first, i));
    for (int worker = first + 1; worker < first + count; ++worker)
      sum = node(sum, leaf(gradient(step, worker, i)));
    return sum;
  }
  std::vector<float> sums(int step, int workers, size_t elements, double scale) {
    std::vector<float> all(elements);
    for (size_t i = 0; i < elements; ++i) all[i] = static_cast<float>(tree(step, i, 0, workers) / scale);
    return all;
  }
};

size_t differences(std::span<const float> a, std::span<const float> b) {
  size_t different = a.size() != b.size();
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    different += !(std::isnan(a[i]) && std::isnan(b[i])) && !same_bits(a.subspan(i, 1), b.subspan(i, 1));
  return different;
}

void run_step(Reducer& reducer, Arena& arena, int step, Share mine) {
  const auto& buckets = arena.layout().buckets;
  for (int worker = 0; worker < mine.count; ++worker) {
    const ReadyFn ready = reducer.leaf(worker);
    for (size_t b = 0; b < buckets.size(); ++b) {
      const std::span<float> values = arena.grads(static_cast<int>(b));
      for (size_t i = 0; i < values.size(); ++i)
        values[i] = gradient(step, mine.first + worker, static_cast<size_t>(buckets[b].begin) + i);
      ready(static_cast<int>(b), {});
    }
  }
  reducer.wait();
}

RangeErrors over_ranks(const std::vector<RangeErrors>& mine) {
  RangeErrors sum;
  for (const RangeErrors& bucket : mine) sum += bucket;
  std::array<int64_t, 2> both{sum.overflows, sum.underflows};
  world().sum(both);
  return {both[0], both[1]};
}

class Counting final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  std::unique_ptr<Pending> start_exchange(int peer, std::span<const std::byte> out,
                                          std::span<std::byte> in) override {
    sent += out.size();
    return Forwarding::start_exchange(peer, out, in);
  }
  std::atomic<size_t> sent = 0;
};

}  // namespace

TEST_CASE("wire: a ladder's gradients and partial sums are rounded one by one, and what is lost is counted") {
  constexpr size_t elements = 3001, cut = 1000;
  for (const Wire& wire : wires) {
    for (int workers = 1; workers <= 24; ++workers) {
      Ladder ladder(elements, workers);
      std::vector<float> values(elements);
      RangeErrors errors;
      for (int worker = 0; worker < workers; ++worker) {
        for (size_t i = 0; i < elements; ++i) values[i] = gradient(0, worker, i);
        errors += ladder.add(worker, 0, std::span(values).first(cut), wire);
        errors += ladder.add(worker, cut, std::span(values).subspan(cut), wire);
      }
      Model model{wire};
      INFO(workers << " workers, " << wire.name());
      CHECK(differences(values, model.sums(0, workers, elements, 1.0)) == 0);
      CHECK(errors == model.errors);
    }
  }
}

TEST_CASE("wire: the same sums and counts on these ranks, overlapped and blocking; statistics as f32") {
  const std::vector<int64_t> lengths{1, 1500, 7, 2, 2503, 640};
  constexpr int64_t statistics = 517;
  for (const int workers : {1, 2, 3, 6, 8, 24}) {
    const auto counts = tree_rank_counts(workers);
    if (std::find(counts.begin(), counts.end(), world().size()) == counts.end()) continue;
    const Share mine = even_share(workers, world().size(), world().rank());
    for (const Wire& wire : wires) {
      Arena arena = arena_of(lengths, statistics);
      const auto gradients = static_cast<size_t>(arena.layout().elements - statistics);
      for (const bool overlap : {true, false}) {
        Reducer reducer(world(), arena, workers, mine, {.overlap = overlap, .wire = wire});
        for (int step = 0; step < 2; ++step) {
          run_step(reducer, arena, step, mine);
          Model model{wire};
          std::vector<float> exact(arena.grads().size());
          for (size_t i = 0; i < exact.size(); ++i)
            exact[i] = tree_of([&](int worker) { return gradient(step, worker, i); }, 0, workers);
          INFO(workers << " workers, " << wire.name() << ", overlap " << overlap << ", step " << step);
          const std::span<const float> sums = arena.grads().first(gradients);
          CHECK(differences(sums, model.sums(step, workers, gradients, wire.scale)) == 0);
          CHECK(differences(sums, std::span(exact).first(gradients)) > gradients / 2);
          CHECK(same_bits(arena.grads().subspan(gradients), std::span(exact).subspan(gradients)));
          CHECK(over_ranks(reducer.range_errors()) == model.errors);
        }
      }
    }
  }
}

TEST_CASE("wire: test gradients overflow and underflow, so equality of the counts means something") {
  Model fp16{wires[0]}, scaled{wires[1]};
  fp16.sums(0, 8, 1000, 1.0);
  scaled.sums(0, 8, 1000, 1.0);
  CHECK(fp16.errors.overflows > 100);
  CHECK(scaled.errors.overflows == 0);
  CHECK(scaled.errors.underflows > 100);
}

TEST_CASE("wire: messages carry two bytes a gradient, four a statistic") {
  const int ranks = world().size();
  if ((ranks & (ranks - 1)) != 0) return;
  const int64_t elements = 640 * ranks, statistics = 64 * ranks;  // each rank's part is the same
  for (const Wire& wire : {Wire{}, wires[1], wires[2]}) {
    Counting counting(world());
    Arena arena = arena_of({elements / 2, elements / 2}, statistics);
    const Share mine = even_share(ranks, ranks, world().rank());
    Reducer reducer(counting, arena, ranks, mine, {.wire = wire});
    run_step(reducer, arena, 0, mine);
    const int64_t payload = (elements - statistics) * (wire.rounds() ? 2 : 4) + statistics * 4;
    INFO(wire.name());
    CHECK(counting.sent == static_cast<size_t>(2 * payload * (ranks - 1) / ranks));
    CHECK(allreduce_bytes(wire, arena.layout()) == payload);
  }
}

TEST_CASE("wire: MPI's own sum takes f32 only, and all ranks must mean the same wire") {
  Arena arena = arena_of({10});
  const int ranks = world().size();
  const Share mine = even_share(ranks, ranks, world().rank());
  CHECK_THROWS_WITH(Reducer(world(), arena, ranks, mine, {.road = Road::library, .wire = wires[0]}),
                    Contains("fp16") && Contains("--road tree"));
  if (ranks == 1 || (ranks & (ranks - 1)) != 0) return;
  const Wire wire = world().rank() == ranks - 1 ? wires[1] : wires[0];
  CHECK_THROWS_WITH(Reducer(world(), arena, ranks, mine, {.wire = wire}),
                    Contains("rank " + std::to_string(ranks - 1)) && Contains("as fp16, scale 1"));
}
