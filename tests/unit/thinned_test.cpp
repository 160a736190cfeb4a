#include "base/thinned.h"

#include <catch2/catch.hpp>

namespace convoy {

TEST_CASE("a thinned stream is every stride-th value from the first on, in the room that it was given") {
  Thinned<int> sample(8);
  const int* memory = nullptr;
  for (int i = 0; i < 1000; ++i) {
    sample.add(i);
    if (memory == nullptr) memory = sample.values().data();
    INFO(i);
    REQUIRE(sample.values().data() == memory);
    REQUIRE(sample.count() == i + 1);
    const auto size = static_cast<int64_t>(sample.values().size());
    REQUIRE(size <= 8);
    REQUIRE((size > 4 || sample.stride() == 1));
    REQUIRE(size == i / sample.stride() + 1);  // none is missing
    for (int64_t k = 0; k < size; ++k)
      REQUIRE(sample.values()[static_cast<size_t>(k)] == k * sample.stride());
  }
  CHECK(sample.stride() == 128);
  sample.clear();
  sample.add(7);
  CHECK((sample.count() == 1 && sample.stride() == 1 && sample.values()[0] == 7));
}

}  // namespace convoy
