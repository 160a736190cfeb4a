#include <catch2/catch.hpp>

#include "base/error.h"
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

}  // namespace convoy
