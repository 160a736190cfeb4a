// Numbers in [-0.5, 0.5), a function of the stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace convoy::testing {

inline std::vector<float> noise(size_t count, uint64_t stream) {
  std::vector<float> values(count);
  const Random random(5, stream);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(unit(random.bits(i)) - 0.5);
  return values;
}

}  // namespace convoy::testing
