#include "base/worker.h"

#include <catch2/catch.hpp>
#include <set>
#include <vector>

namespace convoy {

TEST_CASE(
    "a worker does its tasks one after the other, in order, on one thread of its own, and all before it ends") {
  std::vector<int> done;
  std::set<std::thread::id> threads;
  {
    Worker worker;
    worker.wait();  // for nothing
    for (int i = 0; i < 100; ++i) {
      worker.start([&, i] {
        done.push_back(i);
        threads.insert(std::this_thread::get_id());
      });
      if (i % 3 == 0) {
        worker.wait();
        CHECK(done.size() == static_cast<size_t>(i) + 1);
      }
    }
  }
  REQUIRE(done.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(done[static_cast<size_t>(i)] == i);
  CHECK(threads.size() == 1);
  CHECK_FALSE(threads.contains(std::this_thread::get_id()));
  const Worker idle;  // never given a task
}

}  // namespace convoy
