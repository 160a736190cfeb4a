// Gradients in a device's memory: the reducer's sums with an arena that the host must not touch. This device stores a number's
// bits upside down, so whoever passes the mirror by reads and leaves nonsense.
#include "comm/mirror.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <thread>
#include <utility>

#include "base/error.h"
#include "comm/shares.h"
#include "port/forwarding.h"
#include "world.h"

using namespace convoy;
using namespace convoy::testing;
using Catch::Matchers::Contains;

namespace {

constexpr int64_t statistics = 517;
const std::vector<int64_t> lengths{1, 1500, 7, 2, 2503, 640};

float turned(float value) { return std::bit_cast<float>(~std::bit_cast<uint32_t>(value)); }
void turn(std::span<const float> from, float* to) { std::ranges::transform(from, to, turned); }
void turn(std::span<float> values) { turn(values, values.data()); }

// Puts are done in finish(), not before.
class UpsideDown final : public HostCopies {
 public:
  std::shared_ptr<std::byte[]> allocate(size_t bytes) override {
    allocated += bytes;
    return std::make_shared<std::byte[]>(bytes);
  }
  void fetch(void* to, const void* from, size_t bytes) override {
    require(fetches_left-- > 0, "the way out is blocked");
    turn({static_cast<const float*>(from), bytes / sizeof(float)}, static_cast<float*>(to));
    fetched += bytes;
    ++fetches;
  }
  void put(void* to, const void* from, size_t bytes) override {
    waiting_.push_back({to, from, bytes});
    ++asked;
    most_waiting = std::max(most_waiting, waiting_.size());
  }
  void finish() override {
    for (const Put& p : std::exchange(waiting_, {})) {
      require(puts_left-- > 0, "the way back is blocked");
      turn({static_cast<const float*>(p.from), p.bytes / sizeof(float)}, static_cast<float*>(p.to));
      put_bytes += p.bytes;
      ++puts;
    }
  }
  int fetches_left = 1'000'000, puts_left = 1'000'000;
  size_t allocated = 0, fetched = 0, put_bytes = 0, most_waiting = 0;
  int fetches = 0, puts = 0;
  std::atomic<int> asked = 0;  // of puts

 private:
  struct Put {
    void* to;
    const void* from;
    size_t bytes;
  };
  std::vector<Put> waiting_;
};

// As NCCL: sums what the device's memory holds, there.
class OnDevice final : public Forwarding {
 public:
  OnDevice(Communicator& inner, Arena& arena) : Forwarding(inner), arena_(arena) {}
  std::unique_ptr<Pending> start_sum(std::span<float> values) override {
    const std::span<float> all = arena_.grads();
    ensure(values.data() >= all.data() && values.data() + values.size() <= all.data() + all.size());
    turn(values);
    return std::make_unique<Sum>(Forwarding::start_sum(values), values);
  }

 private:
  struct Sum final : Pending {
    Sum(std::unique_ptr<Pending> of, std::span<float> at) : inner(std::move(of)), values(at) {}
    bool test() override {
      if (done || !inner->test()) return done;
      turn(values);
      return done = true;
    }
    void wait() override {
      inner->wait();
      test();
    }
    std::unique_ptr<Pending> inner;
    std::span<float> values;
    bool done = false;
  };
  Arena& arena_;
};

// Sums of which the first ends.
class OneAnswer final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  std::unique_ptr<Pending> start_sum(std::span<float>) override {
    struct Sum final : Pending {
      explicit Sum(bool ends) : done(ends) {}
      bool test() override { return done; }
      void wait() override { ensure(done); }
      bool done;
    };
    return std::make_unique<Sum>(started_++ == 0);
  }

 private:
  int started_ = 0;
};

// A step of a plan on the device, or on the host.
void run_step(Reducer& reducer, Arena& arena, int step, Share mine, bool device) {
  const auto& buckets = arena.layout().buckets;
  for (int worker = 0; worker < mine.count; ++worker) {
    const ReadyFn ready = reducer.leaf(worker);
    for (size_t b = 0; b < buckets.size(); ++b) {
      const std::span<float> values = arena.grads(static_cast<int>(b));
      for (size_t i = 0; i < values.size(); ++i)
        values[i] = gradient(step, mine.first + worker, static_cast<size_t>(buckets[b].begin) + i);
      if (device) turn(values);
      ready(static_cast<int>(b), {});
      // The plan goes on to overwrite what was taken over.
      if (worker + 1 < mine.count) std::ranges::fill(values, std::nanf(""));
    }
  }
  reducer.wait();
}

bool tree_can_do(int workers) {
  const auto counts = tree_rank_counts(workers);
  return std::ranges::find(counts, world().size()) != counts.end();
}

// What goes over and back in a step, in whole arenas.
struct Ways {
  int fetched = 0, put = 0;
};

void same_as_on_the_host(int workers, Share mine, ReducerOptions options, Ways ways) {
  Arena host = arena_of(lengths, statistics), device = arena_of(lengths, statistics);
  const size_t bytes = host.grads().size_bytes();
  const auto buckets = static_cast<int>(lengths.size());
  UpsideDown copies;
  Reducer plain(world(), host, workers, mine, options);
  options.copies = &copies;
  OnDevice summing(world(), device);
  Communicator& ranks = options.device_sums ? static_cast<Communicator&>(summing) : world();
  Reducer mirrored(ranks, device, workers, mine, options);
  for (int step = 1; step <= 3; ++step) {
    INFO(workers << " workers, " << mine.count << " here, road " << static_cast<int>(options.road)
                 << ", device sums " << options.device_sums << ", overlap " << options.overlap << ", "
                 << options.wire.name() << ", step " << step);
    run_step(plain, host, step, mine, false);
    run_step(mirrored, device, step, mine, true);
    std::vector<float> sums(device.grads().begin(), device.grads().end());
    turn(sums);
    CHECK(same_bits(sums, host.grads()));
    CHECK(mirrored.range_errors() == plain.range_errors());
    CHECK(copies.fetched == static_cast<size_t>(step * ways.fetched) * bytes);
    CHECK(copies.put_bytes == static_cast<size_t>(step * ways.put) * bytes);
    CHECK(copies.fetches == step * ways.fetched * buckets);
    CHECK(copies.puts == step * ways.put * buckets);
  }
  if (options.device_sums) CHECK(copies.most_waiting <= 1);  // each is there before its sum begins
  const size_t extra = ways.fetched + ways.put > 0 ? bytes : 0;
  CHECK(copies.allocated == extra);
  ReducerOptions without = options;
  without.copies = nullptr;
  CHECK(reducer_bytes(host.layout(), options, world().size(), mine.count) ==
        reducer_bytes(host.layout(), without, world().size(), mine.count) + extra);
}

}  // namespace

TEST_CASE("mirror: the tree's bits and counts, each leaf fetched and each sum put back once") {
  const bool alone = world().size() == 1;
  for (const int workers : {1, 2, 3, 4, 6, 8, 16, 24}) {
    if (!tree_can_do(workers)) continue;
    const Share mine = even_share(workers, world().size(), world().rank());
    for (const Wire& wire : {Wire{}, Wire{Wire::Format::fp16, 1.0f}, Wire{Wire::Format::bf16, 0x1p+8f}}) {
      const bool nothing_to_do = alone && workers == 1 && !wire.rounds();
      for (const bool overlap : {true, false})
        same_as_on_the_host(workers, mine, {.overlap = overlap, .wire = wire},
                            nothing_to_do ? Ways{} : Ways{mine.count, 1});
    }
  }
}

TEST_CASE("mirror: the library's sum for any shares, by the host or by the devices") {
  const int ranks = world().size();
  for (const int workers : {1, 2, 5, 8}) {
    const Share even =
        even_share(workers, ranks, world().rank());  // on some ranks none, on others one or more
    const Share last{0, world().rank() + 1 == ranks ? workers : 0};
    for (const Share mine : {even, last})
      for (const bool overlap : {true, false}) {
        const bool host_adds = mine.count > 1, idle = mine.count == 0;
        ReducerOptions options{.road = Road::library, .overlap = overlap};
        same_as_on_the_host(workers, mine, options, ranks > 1 || host_adds ? Ways{mine.count, 1} : Ways{});
        if (ranks == 1) continue;  // nobody to sum with
        options.device_sums = true;
        same_as_on_the_host(workers, mine, options,
                            host_adds ? Ways{mine.count, 1} : (idle ? Ways{0, 1} : Ways{}));
      }
  }
}

TEST_CASE("mirror: an error on the way out comes at once, one on the way back out of wait()") {
  const int ranks = world().size();
  if (!tree_can_do(2 * ranks)) return;
  const Share mine{2 * world().rank(), 2};
  for (const Road road : {Road::tree, Road::library})
    for (const bool overlap : {true, false}) {
      Arena arena = arena_of(lengths, statistics);
      UpsideDown out, back;
      out.fetches_left = 3;
      back.puts_left = 1;
      {
        Reducer reducer(world(), arena, 2 * ranks, mine, {.road = road, .overlap = overlap, .copies = &out});
        CHECK_THROWS_WITH(run_step(reducer, arena, 0, mine, true), "the way out is blocked");
        CHECK(out.fetches == 3);
      }
      Reducer reducer(world(), arena, 2 * ranks, mine, {.road = road, .overlap = overlap, .copies = &back});
      CHECK_THROWS_WITH(run_step(reducer, arena, 0, mine, true), "the way back is blocked");
      CHECK(back.puts == 1);
      world().barrier();
    }
}

TEST_CASE("mirror: a reducer that is destroyed half-way waits for its own copies, and for no sum") {
  if (world().size() == 1) return;
  for (const bool overlap : {true, false}) {
    OneAnswer ranks(world());
    Arena arena = arena_of(lengths, statistics);
    UpsideDown copies;
    {
      Reducer reducer(ranks, arena, world().size(), {world().rank(), 1},
                      {.road = Road::library,
                       .overlap = overlap,
                       .stall_limit = std::chrono::milliseconds(overlap ? 60000 : 100),
                       .copies = &copies});
      const ReadyFn ready = reducer.leaf(0);
      for (int b = 0; b < static_cast<int>(lengths.size()); ++b) ready(b, {});
      if (!overlap) CHECK_THROWS_WITH(reducer.wait(), Contains("has not moved"));
      while (copies.asked == 0) std::this_thread::yield();
    }
    CHECK(copies.asked == 1);
    CHECK(copies.puts == 1);
  }
  world().barrier();
}
