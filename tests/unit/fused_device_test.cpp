// The host device: queues beside each other, marks, graphs, and what happens when something fails.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>
#include <vector>

#include "backends/fused/host_device.h"
#include "backends/fused/host_queue.h"
#include "base/error.h"

namespace convoy::fused {
namespace {

void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

struct Order {
  std::atomic<int> next{0};
  HostTask note(int& at) {
    return {.run = [this, &at] { at = next++; }};
  }
};

}  // namespace

TEST_CASE("host queues: in order each, and a mark orders two") {
  HostQueue first, second;
  HostMark mark;
  Order order;
  int a = -1, b = -1, c = -1;
  first.push({.run = pause});
  first.push(order.note(a));
  first.record(mark);
  second.wait(mark);
  second.push(order.note(b));
  second.finish();
  first.push(order.note(c));
  first.finish();
  CHECK((a == 0 && b == 1 && c == 2));
  mark.wait();  // long ago
}

TEST_CASE("host queues: a mark is waited for as often as it was recorded") {
  HostQueue queue;
  HostMark mark;
  std::atomic<int> done{0};
  for (int round = 1; round <= 3; ++round) {
    queue.push({.run = [&] {
      pause();
      ++done;
    }});
    queue.record(mark);
    mark.wait();
    CHECK(done == round);
  }
}

TEST_CASE("host queues: what is captured runs when it is launched, marks included") {
  HostQueue queue;
  HostMark mark;
  std::vector<int> from{1, 2, 3}, to(3);
  int runs = 0;
  queue.begin_capture();
  queue.push({.run = [&] {
    pause();
    ++runs;
  }});
  queue.copy(to.data(), from.data(), sizeof(int) * 3);
  queue.record(mark);
  queue.clear(from.data(), sizeof(int));
  const auto graph = queue.end_capture();
  queue.finish();
  CHECK(runs == 0);
  CHECK(mark.asked() == 0);
  for (int round = 1; round <= 3; ++round) {
    from[0] = 10 * round;
    queue.launch(*graph);
    mark.wait();
    CHECK(to == std::vector<int>{10 * round, 2, 3});
    queue.finish();
    CHECK(from[0] == 0);
    CHECK(runs == round);
  }
}

TEST_CASE("host queues: an error ends the queue's work and surfaces in finish and in the marks behind it") {
  HostQueue queue, other;
  HostMark before, behind;
  bool ran = false;
  queue.record(before);
  queue.push({.run = [] { fail("the third layer is on fire"); }});
  queue.push({.run = [&] { ran = true; }});
  queue.record(behind);
  other.wait(behind);
  other.push({.run = [&] { ran = true; }});
  CHECK_NOTHROW(before.wait());
  CHECK_THROWS_WITH(behind.wait(), "the third layer is on fire");
  CHECK_THROWS_WITH(other.finish(), "the third layer is on fire");
  CHECK_THROWS_WITH(queue.finish(), "the third layer is on fire");
  CHECK_FALSE(ran);
  queue.push({.run = [&] { ran = true; }});  // and begins anew
  queue.record(behind);
  CHECK_NOTHROW(behind.wait());
  CHECK_NOTHROW(queue.finish());
  CHECK(ran);
}

TEST_CASE("host queues: an error in a graph reaches the marks of that launch alone") {
  HostQueue queue;
  HostMark mark;
  bool fails = true;
  queue.begin_capture();
  queue.push({.run = [&] { require(!fails, "not today"); }});
  queue.record(mark);
  const auto graph = queue.end_capture();
  queue.launch(*graph);
  CHECK_THROWS_WITH(mark.wait(), "not today");
  CHECK_THROWS_WITH(queue.finish(), "not today");
  fails = false;
  queue.launch(*graph);
  CHECK_NOTHROW(mark.wait());
  CHECK_NOTHROW(queue.finish());
}

TEST_CASE("host device: memory is zeroed, counted and limited") {
  const auto device = make_host_device({.threads = 1, .memory = 10'000'000});
  std::byte* const block = device->allocate(6'000'000, Place::device);
  CHECK(block[5'999'999] == std::byte{0});
  CHECK(device->facts().free == 4'000'000);
  CHECK_THROWS_WITH(device->allocate(4'000'001, Place::pinned),
                    "4.0 MB of memory were asked for where 4.0 of 10.0 MB are free");
  device->release(block, Place::device);
  CHECK(device->facts().free == device->facts().memory);
}

}  // namespace convoy::fused
