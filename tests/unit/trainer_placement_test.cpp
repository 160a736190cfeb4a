#include <catch2/catch.hpp>

#include "base/error.h"
#include "comm/shares.h"
#include "train/placement.h"

namespace convoy {

TEST_CASE("the tree takes powers of two that divide the workers, the library any number up to them") {
  for (const int ranks : {1, 2, 4, 8}) CHECK(place(24, ranks, {}).ranks() == ranks);
  CHECK_THROWS_WITH(place(24, 3, {}), Catch::Contains("start 1, 2, 4, 8 ranks, or take --road library"));
  CHECK_THROWS_WITH(place(24, 16, {}), Catch::Contains("1, 2, 4, 8"));
  const Placement uneven = place(8, 3, {.road = "library"});
  int next = 0;
  for (const Share& share : uneven.shares) {
    CHECK(share.first == next);
    CHECK((share.count == 2 || share.count == 3));
    next += share.count;
  }
  CHECK(next == 8);
  CHECK_THROWS_WITH(place(4, 5, {.road = "library"}), Catch::Contains("at most 4"));
  CHECK_THROWS_WITH(place(4, 2, {.road = "ring"}), Catch::Contains("tree"));
}

TEST_CASE("workers whose batch norm is taken together stay on one rank") {
  const Placement placement = place(24, 2, {}, 3);
  CHECK(placement.together == 3);
  CHECK((placement.shares[1].first == 12 && placement.shares[1].count == 12));
  CHECK((placement.runs(1).first == 4 && placement.runs(1).count == 4));
  CHECK(place(24, 4, {}, 6).ranks() == 4);
  CHECK_THROWS_WITH(
      place(24, 8, {}, 6),
      Catch::Contains("8 ranks cannot share 24 workers in 4 batch norm groups of 6 on the tree: start 1, "
                      "2, 4 ranks, or take --road library with up to 4 "));
  const Placement uneven = place(24, 3, {.road = "library"}, 6);  // 1, 1 and 2 groups
  CHECK((uneven.shares[0].count == 6 && uneven.shares[2].first == 12 && uneven.shares[2].count == 12));
  CHECK_THROWS_WITH(place(24, 5, {.road = "library"}, 6), Catch::Contains("at most 4"));
}

TEST_CASE("backends are named once for all or once a rank") {
  CHECK(place(8, 2, {.backends = {"a", "b"}}).backends == std::vector<std::string>{"a", "b"});
  CHECK(place(8, 4, {.backends = {"a"}}).backends == std::vector<std::string>(4, "a"));
  CHECK_THROWS_WITH(place(8, 4, {.backends = {"a", "b"}}),
                    Catch::Contains("2 backends are named for 4 ranks"));
}

TEST_CASE("shares may follow the ranks' speeds, on the library's road") {
  const auto shared = [](std::vector<int> counts, const char* road, int together = 1) {
    return place(24, static_cast<int>(counts.size()), {.road = road, .counts = counts}, together);
  };
  const Placement uneven = shared({18, 4, 2}, "library");
  CHECK((uneven.shares[1].first == 18 && uneven.shares[1].count == 4 && uneven.shares[2].first == 22));
  const Placement grouped = shared({18, 6}, "library", 3);
  CHECK((grouped.shares[1].first == 18 && grouped.shares[1].count == 6 && grouped.runs(1).count == 2));
  CHECK(shared({12, 12}, "tree").shares[1].first == 12);
  CHECK_THROWS_WITH(shared({18, 6}, "tree"), Catch::Contains("shares of 18,6 need --road library"));
  CHECK_THROWS_WITH(shared({18, 5}, "library"), Catch::Contains("do not deal 24 workers to 2 ranks"));
  CHECK_THROWS_WITH(shared({24, 0}, "library"), Catch::Contains("give every rank at least one, 24 in all"));
  CHECK_THROWS_WITH(shared({17, 7}, "library", 3), Catch::Contains("at least 3, or a multiple of it"));
}

TEST_CASE("counts by speed end as early as any division could") {
  CHECK(counts_by_speed(24, {1, 1, 1}) == std::vector<int>{8, 8, 8});
  CHECK(counts_by_speed(24, {10, 1, 1}) == std::vector<int>{20, 2, 2});
  CHECK(counts_by_speed(3, {1000, 1, 1}) == std::vector<int>{1, 1, 1});
  CHECK(counts_by_speed(10, {3, 1}) ==
        std::vector<int>{8, 2});  // done after 2.67 and 2 s; of 7 and 3, after 3 s
  for (const std::vector<double>& speeds : {std::vector{2.0, 7.0}, {5.5, 0.3}, {1.0, 1.01}}) {
    const auto end = [&](int first) { return std::max(first / speeds[0], (31 - first) / speeds[1]); };
    double best = 1e9;
    for (int first = 1; first < 31; ++first) best = std::min(best, end(first));
    CHECK(end(counts_by_speed(31, speeds)[0]) == best);
  }
}

}  // namespace convoy
