#include "base/random.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace convoy {

// Known answers from Random123's kat_vectors (philox4x32, 10 rounds).
TEST_CASE("Philox4x32-10 gives its published known answers") {
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Philox4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const uint32_t f = 0xffffffff;
  CHECK(philox({f, f, f, f}, {f, f}) == Philox4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Philox4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("streams differ by purpose and by every number") {
  CHECK(stream_of("crop", 1, 2) != stream_of("crop", 2, 1));
  CHECK(stream_of("crop", 1) != stream_of("flip", 1));
  CHECK(stream_of("crop", 1, 0, 0) != stream_of("crop", 0, 0, 1));
}

TEST_CASE("random access equals sequential use") {
  Random sequential(7, 9);
  const Random direct(7, 9);
  for (uint64_t i = 0; i < 10; ++i) CHECK(sequential.next_bits() == direct.bits(i));
}

TEST_CASE("a permutation holds every number once and depends on its seed") {
  auto order = permutation(1000, 1, 2);
  CHECK(order != permutation(1000, 2, 2));
  CHECK(order == permutation(1000, 1, 2));
  std::sort(order.begin(), order.end());
  for (uint32_t i = 0; i < 1000; ++i) CHECK(order[i] == i);
}

}  // namespace convoy
