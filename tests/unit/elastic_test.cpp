// Which launches follow one another when ranks are lost.
#include "train/elastic.h"

#include <catch2/catch.hpp>
#include <vector>

#include "base/error.h"

namespace convoy {
namespace {

// Launches that end with these codes, after so many more steps have been saved.
struct Machine {
  struct Launch {
    int code;
    int64_t steps;
  };
  std::vector<Launch> ends;
  std::vector<int> ranks{};
  int64_t saved = 0;
  int pauses = 0;
  bool stopped = false;

  int run(ElasticOptions options) {
    return run_elastic(
        options,
        [&](int count) {
          const Launch& end = ends.at(ranks.size());
          ranks.push_back(count);
          saved += end.steps;
          return end.code;
        },
        [&] { return saved; }, [&] { return stopped; }, [&] { ++pauses; }, Log{});
  }
};

}  // namespace

TEST_CASE("ranks that are left are a power of two that divides the workers") {
  CHECK(ranks_left(8, 4) == 2);
  CHECK(ranks_left(8, 3) == 2);
  CHECK(ranks_left(8, 8) == 4);
  CHECK(ranks_left(8, 6) == 4);
  CHECK(ranks_left(6, 6) == 2);
  CHECK(ranks_left(1024, 1000) == 512);
  CHECK(ranks_left(8, 2) == 1);
  CHECK(ranks_left(8, 1) == 1);
  CHECK(ranks_left(5, 5) == 1);
}

TEST_CASE("a job that loses ranks goes on with fewer until it is done") {
  Machine machine{{{137, 3}, {139, 2}, {1, 1}, {137, 1}, {0, 5}}};
  CHECK(machine.run({.workers = 8, .ranks = 8}) == 0);
  CHECK(machine.ranks == std::vector<int>{8, 4, 2, 1, 1});
}

TEST_CASE("what the program itself says is not said twice") {
  for (const int code : {0, 2, 64, 85}) {
    Machine machine{{{code, 3}}};
    CHECK(machine.run({.workers = 8, .ranks = 8}) == code);
  }
  for (const int code : {1, 75}) {
    Machine machine{{{code, 0}}};  // before anything was saved
    CHECK(machine.run({.workers = 8, .ranks = 8}) == code);
  }
  Machine asked{{{137, 3}}};
  asked.stopped = true;
  CHECK(asked.run({.workers = 8, .ranks = 8}) == 137);
}

TEST_CASE("a folder still in use is waited for, with the ranks there are") {
  Machine machine{{{137, 3}, {75, 0}, {0, 5}}};
  CHECK(machine.run({.workers = 8, .ranks = 8}) == 0);
  CHECK(machine.ranks == std::vector<int>{8, 4, 4});
  CHECK(machine.pauses == 1);
}

TEST_CASE("restarts that get nowhere, or never end, are given up") {
  Machine stuck{{{137, 0}, {137, 0}, {137, 0}, {0, 1}}};
  CHECK_THROWS_WITH(stuck.run({.workers = 8, .ranks = 8}), Catch::Contains("three launches in a row"));
  CHECK(stuck.ranks == std::vector<int>{8, 4, 2});
  Machine endless{std::vector<Machine::Launch>(20, {137, 1})};
  CHECK_THROWS_WITH(endless.run({.workers = 8, .ranks = 8, .restarts = 4}),
                    Catch::Contains("after 4 restarts, at step 5"));
}

}  // namespace convoy
