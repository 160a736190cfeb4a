// Copies between a device's memory and the host's, on the host device.
#include "backends/fused/host_copies.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <vector>

#include "backends/fused/host_device.h"
#include "backends/fused/host_queue.h"
#include "base/error.h"

namespace convoy::fused {
namespace {

// The host device, whose queues can be reached.
class Watched final : public Device {
 public:
  explicit Watched(const HostOptions& options = {}) : inner_(make_host_device(options)) {}
  DeviceFacts facts() const override { return inner_->facts(); }
  std::byte* allocate(size_t bytes, Place place) override {
    places.push_back(place);
    return inner_->allocate(bytes, place);
  }
  void release(std::byte* memory, Place place) override { inner_->release(memory, place); }
  Buffer shared_buffer(size_t bytes) override { return inner_->shared_buffer(bytes); }
  Vector& vector() override { return inner_->vector(); }
  std::unique_ptr<Queue> make_queue() override {
    auto queue = std::make_unique<HostQueue>();
    queues.push_back(queue.get());
    return queue;
  }
  std::unique_ptr<Mark> make_mark() override { return inner_->make_mark(); }
  std::unique_ptr<Code> prepare(const Operation& operation, const Bound& bound, Precision precision,
                                bool repeatable) override {
    return inner_->prepare(operation, bound, precision, repeatable);
  }
  std::vector<Place> places;       // of what was allocated
  std::vector<HostQueue*> queues;  // what fetches, what puts

 private:
  std::unique_ptr<Device> inner_;
};

std::vector<int> numbers(size_t count, int first) {
  std::vector<int> made(count);
  for (size_t i = 0; i < count; ++i) made[i] = first + static_cast<int>(i);
  return made;
}

}  // namespace

TEST_CASE("host copies: pinned memory, zeroed, given back with its last owner") {
  const auto device = std::make_shared<Watched>();
  auto copies = make_host_copies(device);
  const size_t free = device->facts().free;
  auto memory = copies->allocate(1000);
  CHECK(device->places == std::vector{Place::pinned});
  CHECK(std::vector(memory.get(), memory.get() + 1000) == std::vector(1000, std::byte{0}));
  CHECK(device->facts().free <= free - 1000);
  copies.reset();
  memory.reset();
  CHECK(device->facts().free == free);
}

TEST_CASE("host copies: what was fetched is there, what was put is there after finish") {
  const auto copies = make_host_copies(std::make_shared<Watched>());
  const std::vector<int> there = numbers(5000, 3);
  std::vector<int> here(5000), back(5000);
  copies->fetch(here.data(), there.data(), 4 * 5000);
  CHECK(here == there);
  copies->put(back.data(), here.data(), 4 * 2000);
  copies->put(back.data() + 2000, here.data() + 2000, 4 * 3000);
  copies->finish();
  CHECK(back == there);
}

TEST_CASE("host copies: puts keep their order, and a fetch does not wait for them") {
  const auto device = std::make_shared<Watched>();
  const auto copies = make_host_copies(device);
  REQUIRE(device->queues.size() == 2);
  std::atomic<bool> held = true;
  device->queues[1]->push({.run = [&] { held.wait(true); }});
  const std::vector<int> first = numbers(100, 1), second = numbers(100, 2);
  std::vector<int> to(100), here(100);
  copies->put(to.data(), first.data(), 400);
  copies->put(to.data(), second.data(), 400);
  copies->fetch(here.data(), first.data(), 400);
  CHECK(here == first);
  CHECK(to == std::vector<int>(100));
  held = false;
  held.notify_all();
  copies->finish();
  CHECK(to == second);
}

TEST_CASE("host copies: what goes wrong on the way is said by fetch and by finish") {
  const auto device = std::make_shared<Watched>();
  const auto copies = make_host_copies(device);
  int from = 1, to = 0;
  device->queues[0]->push({.run = [] { fail("the bus fell off the road"); }});
  CHECK_THROWS_WITH(copies->fetch(&to, &from, sizeof(int)), "the bus fell off the road");
  device->queues[1]->push({.run = [] { fail("and on the way back"); }});
  copies->put(&to, &from, sizeof(int));
  CHECK_THROWS_WITH(copies->finish(), "and on the way back");
  CHECK(to == 0);
}

TEST_CASE("host copies: no pinned memory left is a sentence") {
  const auto copies = make_host_copies(make_host_device({.memory = 4096}));
  CHECK_THROWS_WITH(copies->allocate(10000), Catch::Contains("asked for"));
}

}  // namespace convoy::fused
