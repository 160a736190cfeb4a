// The whole reducer: W workers on the launched ranks against the definition, overlapped and blocking, and what it refuses.
#include "comm/reducer.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>

#include "comm/shares.h"
#include "world.h"

using namespace convoy;
using namespace convoy::testing;
using Catch::Matchers::Contains;

namespace {

const std::vector<int64_t> lengths{1, 3000, 7, 2, 5003, 64, 20001};

// What a Plan does: overwrite a bucket, say so, go on to the next.
void train(Arena& arena, int step, int worker, const ReadyFn& ready) {
  const auto& buckets = arena.layout().buckets;
  for (size_t b = 0; b < buckets.size(); ++b) {
    const std::span<float> values = arena.grads(static_cast<int>(b));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = gradient(step, worker, static_cast<size_t>(buckets[b].begin) + i);
    ready(static_cast<int>(b), {});
  }
}

void run_step(Reducer& reducer, Arena& arena, int step, Share mine) {
  for (int worker = 0; worker < mine.count; ++worker)
    train(arena, step, mine.first + worker, reducer.leaf(worker));
  reducer.wait();
}

bool tree_can_do(int workers) {
  const auto counts = tree_rank_counts(workers);
  return std::find(counts.begin(), counts.end(), world().size()) != counts.end();
}

// Every shape of share that covers the workers: even, all on the last rank, most on the first.
std::vector<std::vector<Share>> uneven_shares(int workers, int ranks) {
  std::vector<Share> even, last, first;
  const int rest = std::min(workers, ranks - 1);
  for (int r = 0, next = 0; r < ranks; ++r) {
    even.push_back(even_share(workers, ranks, r));
    last.push_back({0, r + 1 == ranks ? workers : 0});
    const int count = r == 0 ? workers - rest : (r <= rest ? 1 : 0);
    first.push_back({next, count});
    next += count;
  }
  return {even, last, first};
}

}  // namespace

TEST_CASE("reducer: the tree's sum over all workers, bit for bit, overlapped and blocking") {
  for (const int workers : {1, 2, 3, 4, 6, 8, 16, 24}) {
    if (!tree_can_do(workers)) continue;
    Arena arena = arena_of(lengths);
    const Share mine = even_share(workers, world().size(), world().rank());
    for (const bool overlap : {true, false}) {
      Reducer reducer(world(), arena, workers, mine, {.road = Road::tree, .overlap = overlap});
      for (int step = 0; step < 3; ++step) {
        run_step(reducer, arena, step, mine);
        std::vector<float> expected(arena.grads().size());
        for (size_t i = 0; i < expected.size(); ++i)
          expected[i] = tree_of([&](int worker) { return gradient(step, worker, i); }, 0, workers);
        INFO(workers << " workers, overlap " << overlap << ", step " << step);
        CHECK(same_bits(arena.grads(), expected));
      }
      CHECK(reducer.times().buckets.size() == lengths.size());
      CHECK(reducer.times().exposed > 0);
    }
  }
}

TEST_CASE("reducer: the library's sum is right within rounding for any ranks and shares") {
  for (const int workers : {1, 2, 5, 7, 8}) {
    for (const auto& shares : uneven_shares(workers, world().size())) {
      Arena arena = arena_of(lengths);
      const Share mine = shares[static_cast<size_t>(world().rank())];
      for (const bool overlap : {true, false}) {
        Reducer reducer(world(), arena, workers, mine, {.road = Road::library, .overlap = overlap});
        for (int step = 0; step < 2; ++step) {
          run_step(reducer, arena, step, mine);
          size_t wrong = 0;
          for (size_t i = 0; i < arena.grads().size(); ++i) {
            double sum = 0, magnitude = 0;
            for (int worker = 0; worker < workers; ++worker) {
              sum += gradient(step, worker, i);
              magnitude += std::abs(gradient(step, worker, i));
            }
            // n - 1 additions, each within half a unit in the last place of a partial sum below `magnitude`.
            wrong += std::abs(arena.grads()[i] - sum) > (workers - 1) * 0x1p-24 * magnitude * 1.0001;
          }
          INFO(workers << " workers, overlap " << overlap << ", " << mine.count << " here");
          CHECK(wrong == 0);
        }
      }
    }
  }
}

TEST_CASE("reducer: what the tree cannot do is refused with the rank counts that would") {
  CHECK_THROWS_WITH(require_tree(8, 3),
                    Contains("start 1 or 2 or 4 or 8 ranks") && Contains("the library's sum"));
  CHECK_THROWS_WITH(require_tree(6, 4), Contains("start 1 or 2 ranks"));
  CHECK_THROWS_WITH(require_tree(4, 8), Contains("start 1 or 2 or 4 ranks"));
  for (const int ranks : {1, 2, 4, 8}) CHECK_NOTHROW(require_tree(24, ranks));
  CHECK(claim(Road::tree, 4, 8) == "bitwise for any 2^k ranks of this fingerprint");
  CHECK(claim(Road::library, 1, 8) == "bitwise for any 2^k ranks of this fingerprint");
  CHECK(claim(Road::library, 3, 8) == "repeatable");
}

TEST_CASE("reducer: ranks that do not agree are named on every rank") {
  if (world().size() < 2) return;
  const int ranks = world().size(), odd_one = ranks - 1;
  const bool odd = world().rank() == odd_one;
  const Share mine = even_share(ranks, ranks, world().rank());
  const std::string name = "rank " + std::to_string(odd_one);
  const ReducerOptions library{.road = Road::library};
  Arena arena = arena_of(odd ? std::vector<int64_t>{4, 6} : std::vector<int64_t>{10});
  CHECK_THROWS_WITH(Reducer(world(), arena, ranks, mine, library), Contains(name) && Contains("2 buckets"));
  Arena same = arena_of({10});
  CHECK_THROWS_WITH(Reducer(world(), same, ranks, odd ? Share{mine.first + 1, 1} : mine, library),
                    Contains(name) && Contains("shares are contiguous"));
  CHECK_THROWS_WITH(Reducer(world(), same, ranks + 1, mine, library),
                    Contains("hold " + std::to_string(ranks)));
}
