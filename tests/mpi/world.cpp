#include "world.h"

#include <cmath>
#include <cstring>

#include "base/random.h"

namespace convoy::testing {

float gradient(int step, int worker, size_t i) {
  const Philox4 words = philox(
      {static_cast<uint32_t>(i), static_cast<uint32_t>(worker), static_cast<uint32_t>(step), 7u}, {1u, 2u});
  const float mantissa = static_cast<float>(unit(words[0]) - 0.5);
  return std::ldexp(mantissa, static_cast<int>(words[1] % 40) - 20);
}

float tree_of(const std::function<float(int)>& leaf, int first, int count) {
  if (count % 2 == 0) return tree_of(leaf, first, count / 2) + tree_of(leaf, first + count / 2, count / 2);
  float sum = leaf(first);
  for (int worker = first + 1; worker < first + count; ++worker) sum = sum + leaf(worker);
  return sum;
}

Arena arena_of(const std::vector<int64_t>& lengths) {
  Layout layout;
  for (const int64_t length : lengths) {
    layout.buckets.push_back(
        {layout.elements, layout.elements + length, static_cast<int>(layout.buckets.size())});
    layout.elements += length;
  }
  return Arena(Graph{}, layout, 0);
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace convoy::testing
