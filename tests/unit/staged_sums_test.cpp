// Sums over ranks through pinned memory, on the host device, with a stand-in for MPI that says what it was asked.
#include <catch2/catch.hpp>
#include <vector>

#include "backends/fused/host_device.h"
#include "backends/fused/staged_sums.h"
#include "base/error.h"
#include "port/forwarding.h"

namespace convoy::fused {
namespace {

// Doubles what it is given, when it is told that the other rank has come.
class Doubling final : public ForwardingCommunicator {
 public:
  Doubling() : ForwardingCommunicator(alone_) {}
  std::unique_ptr<Pending> start_sum(std::span<float> values) override {
    asked.push_back(values);
    return std::make_unique<Sum>(*this, values);
  }
  std::vector<std::span<float>> asked;
  bool come = true;

 private:
  struct Sum final : Pending {
    Sum(Doubling& of, std::span<float> at) : owner(of), values(at) {}
    bool test() override {
      if (!owner.come || done) return done;
      for (float& value : values) value *= 2;
      return done = true;
    }
    void wait() override { ensure(test()); }
    Doubling& owner;
    std::span<float> values;
    bool done = false;
  };
  LocalCommunicator alone_;
};

std::vector<float> numbers(size_t count, float first) {
  std::vector<float> made(count);
  for (size_t i = 0; i < count; ++i) made[i] = first + static_cast<float>(i);
  return made;
}

}  // namespace

TEST_CASE("staged sums: through memory of their own, there and back") {
  const std::shared_ptr<Device> device = make_host_device({});
  Doubling inner;
  const auto staged = make_staged_sums(inner, device);
  std::vector<float> values = numbers(1000, 3);
  const auto sum = staged->start_sum(values);
  sum->wait();
  CHECK((sum->test() && values[0] == 6 && values[999] == 2004));
  REQUIRE(inner.asked.size() == 1);
  CHECK((inner.asked[0].data() != values.data() && inner.asked[0].size() == 1000));
  CHECK(staged->size() == 1);  // what is no sum of gradients is the inner one's
}

TEST_CASE(
    "staged sums: many under way start in order, whichever is asked after, and use their memory again") {
  const std::shared_ptr<Device> device = make_host_device({});
  Doubling inner;
  const auto staged = make_staged_sums(inner, device);
  size_t free = 0;
  for (int step = 0; step < 3; ++step) {
    inner.come = false;
    inner.asked.clear();
    std::vector<std::vector<float>> values;
    std::vector<std::unique_ptr<Communicator::Pending>> sums;
    for (size_t b = 0; b < 20; ++b) values.push_back(numbers(1 + 5000 * (b % 7), static_cast<float>(b)));
    for (auto& bucket : values) sums.push_back(staged->start_sum(bucket));
    while (inner.asked.size() < 20) CHECK_FALSE(sums[19]->test());
    for (size_t b = 0; b < 20; ++b) {
      CHECK(inner.asked[b].size() == values[b].size());
      CHECK(inner.asked[b][0] == static_cast<float>(b));
      CHECK(values[b][0] == static_cast<float>(b));  // nothing comes back before the sum is done
    }
    inner.come = true;
    for (size_t b = 20; b-- > 0;) sums[b]->wait();
    for (size_t b = 0; b < 20; ++b)
      CHECK((values[b].front() == 2 * static_cast<float>(b) &&
             values[b].back() == 2 * static_cast<float>(b + values[b].size() - 1)));
    if (step == 0) free = device->facts().free;
    CHECK(device->facts().free == free);
  }
}

TEST_CASE("staged sums: one that is given up keeps its memory to itself") {
  const std::shared_ptr<Device> device = make_host_device({});
  Doubling inner;
  const auto staged = make_staged_sums(inner, device);
  inner.come = false;
  std::vector<float> lost = numbers(100, 0), kept = numbers(100, 1);
  auto first = staged->start_sum(lost);
  while (inner.asked.empty()) CHECK_FALSE(first->test());
  first.reset();
  inner.come = true;
  staged->start_sum(kept)->wait();
  CHECK((kept[0] == 2 && lost[0] == 0));
  CHECK(inner.asked[1].data() != inner.asked[0].data());
}

TEST_CASE("staged sums: no pinned memory left is a sentence") {
  const std::shared_ptr<Device> device = make_host_device({.memory = 4096});
  LocalCommunicator alone;
  const auto staged = make_staged_sums(alone, device);
  std::vector<float> values(10000);
  CHECK_THROWS_WITH(staged->start_sum(values), Catch::Contains("asked for"));
}

}  // namespace convoy::fused
