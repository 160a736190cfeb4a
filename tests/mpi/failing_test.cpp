// What goes wrong: errors on the progress thread, ranks that never come, and a reducer destroyed half-way.
#include <algorithm>
#include <atomic>
#include <bit>
#include <catch2/catch.hpp>
#include <thread>

#include "comm/reducer.h"
#include "world.h"

using namespace convoy;
using namespace convoy::testing;
using Catch::Matchers::Contains;
using std::chrono::milliseconds;

namespace {

// Passes everything on, and fails at the start of the n-th exchange or sum.
class Breaking final : public Forwarding {
 public:
  Breaking(Communicator& inner, int good) : Forwarding(inner), good_(good) {}
  std::unique_ptr<Pending> start_exchange(int peer, std::span<const std::byte> out,
                                          std::span<std::byte> in) override {
    require(good_-- > 0, Exit::temporary, "the cable is out");
    return Forwarding::start_exchange(peer, out, in);
  }
  std::unique_ptr<Pending> start_sum(std::span<float> values) override {
    require(good_-- > 0, Exit::temporary, "the cable is out");
    return Forwarding::start_sum(values);
  }

 private:
  std::atomic<int> good_;
};

// Passes everything on, and counts the exchanges.
class Counting final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  int started() const { return started_; }
  std::unique_ptr<Pending> start_exchange(int peer, std::span<const std::byte> out,
                                          std::span<std::byte> in) override {
    auto pending = Forwarding::start_exchange(peer, out, in);
    ++started_;
    return pending;
  }

 private:
  std::atomic<int> started_ = 0;
};

void hand_over_all(Reducer& reducer, const Arena& arena) {
  const ReadyFn ready = reducer.leaf(0);
  for (int bucket = 0; bucket < static_cast<int>(arena.layout().buckets.size()); ++bucket) ready(bucket, {});
}

std::string message_of(Reducer& reducer, Exit* code = nullptr) {
  try {
    reducer.wait();
  } catch (const Error& error) {
    if (code != nullptr) *code = error.code();
    return error.what();
  }
  return "no error";
}

bool tree_fits() { return world().size() > 1 && std::has_single_bit(static_cast<unsigned>(world().size())); }

}  // namespace

TEST_CASE(
    "failing: an error on the progress thread comes out of wait(), again and again, with its exit code") {
  if (!tree_fits()) return;
  for (const Road road : {Road::tree, Road::library}) {
    for (const bool overlap : {true, false}) {
      MpiCommunicator own;
      const int levels = std::countr_zero(static_cast<unsigned>(own.size()));
      const int per_bucket = road == Road::tree ? 2 * levels : 1;  // exchanges or sums
      Breaking ranks(own, per_bucket);  // the first bucket is summed, the second breaks
      Arena arena = arena_of({8, 8, 8});
      Reducer reducer(ranks, arena, ranks.size(), {ranks.rank(), 1}, {.road = road, .overlap = overlap});
      hand_over_all(reducer, arena);
      Exit code = Exit::ok;
      const std::string message = message_of(reducer, &code);
      INFO(message);
      CHECK(message.find("the cable is out") != std::string::npos);
      CHECK(message.find("of 3") != std::string::npos);
      CHECK(code == Exit::temporary);
      if (overlap) CHECK(message_of(reducer) == message);
      world().barrier();
    }
  }
}

TEST_CASE("failing: a rank that does not come is named with its host by the rank that waits for it") {
  if (!tree_fits()) return;
  MpiCommunicator own;
  const int absent = own.size() - 1;
  for (const bool overlap : {true, false}) {
    Arena arena = arena_of({16, 16});
    Reducer reducer(own, arena, own.size(), {own.rank(), 1},
                    {.overlap = overlap, .stall_limit = milliseconds(300)});
    if (own.rank() != absent) {
      hand_over_all(reducer, arena);
      const std::string message = message_of(reducer);
      INFO(message);
      CHECK(message.find("bucket 1 of 2") != std::string::npos);
      CHECK(message.find("has not answered for 0.3") != std::string::npos);
      if (own.rank() == (absent ^ 1))
        CHECK(message.find("rank " + std::to_string(absent) + " on " + own.host()) != std::string::npos);
    }
    world().barrier();
  }
}

TEST_CASE("failing: the library's sum stalls with the bucket's name") {
  if (world().size() < 2) return;
  MpiCommunicator own;
  const bool late = own.rank() == own.size() - 1;
  Arena arena = arena_of({16, 16});
  const ReducerOptions options{.road = Road::library,
                               .stall_limit = late ? std::chrono::seconds(50) : milliseconds(300)};
  Reducer reducer(own, arena, own.size(), {own.rank(), 1}, options);
  if (!late) {
    hand_over_all(reducer, arena);
    CHECK_THAT(message_of(reducer), Contains("bucket 1 of 2") && Contains("has not moved for 0.3"));
  }
  world().barrier();
  // The late rank comes after all, so that no collective is left open behind this case.
  if (late) {
    hand_over_all(reducer, arena);
    CHECK(message_of(reducer) == "no error");
  }
  world().barrier();
}

TEST_CASE("failing: a reducer destroyed half-way waits for nobody and leaves nothing behind") {
  if (!tree_fits()) return;
  {
    MpiCommunicator own;
    Counting ranks(own);
    Arena arena = arena_of({16, 16});
    Reducer reducer(ranks, arena, own.size(), {own.rank(), 1});
    if (own.rank() == 0) {
      reducer.leaf(0)(0, {});
      while (ranks.started() == 0)
        std::this_thread::yield();  // its half of the sum is on the way, and nobody takes it
    }
  }
  world().barrier();
  // The next communicator may not find what the last one left.
  MpiCommunicator next;
  Arena arena = arena_of({16, 16});
  Reducer reducer(next, arena, next.size(), {next.rank(), 1}, {.stall_limit = std::chrono::seconds(20)});
  std::ranges::fill(arena.grads(), 1.0f);
  hand_over_all(reducer, arena);
  CHECK(message_of(reducer) == "no error");
  CHECK(
      std::ranges::all_of(arena.grads(), [&](float sum) { return sum == static_cast<float>(next.size()); }));
}

TEST_CASE("failing: leaves and buckets out of order are a bug that is caught") {
  LocalCommunicator alone;
  Arena arena = arena_of({4, 4});
  Reducer reducer(alone, arena, 2, {0, 2});
  CHECK_THROWS_WITH(reducer.leaf(0)(1, {}), Contains("internal error"));
  CHECK_THROWS_WITH(reducer.leaf(1)(0, {}), Contains("internal error"));
  CHECK_THROWS_WITH(reducer.wait(), Contains("after 0 of 2 workers"));
}
