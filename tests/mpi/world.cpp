#include "world.h"

#include <cmath>
#include <cstring>

#include "base/random.h"

namespace convoy::testing {
namespace {

constexpr size_t most_workers = 40, period = 32768;

const std::vector<float>& table() {
  static const std::vector<float> values = [] {
    std::vector<float> made(most_workers * period);
    const Random random(1, stream_of("test gradients"));
    for (size_t i = 0; i < made.size(); ++i) {
      const Philox4 words = random.block(i);
      made[i] = std::ldexp(static_cast<float>(unit(words[0]) - 0.5), static_cast<int>(words[1] % 40) - 20);
    }
    return made;
  }();
  return values;
}

}  // namespace

float gradient(int step, int worker, size_t i) {
  return table().at(static_cast<size_t>(worker) * period + (i + 7919 * static_cast<size_t>(step)) % period);
}

float tree_of(const std::function<float(int)>& leaf, int first, int count) {
  if (count % 2 == 0) return tree_of(leaf, first, count / 2) + tree_of(leaf, first + count / 2, count / 2);
  float sum = leaf(first);
  for (int worker = first + 1; worker < first + count; ++worker) sum = sum + leaf(worker);
  return sum;
}

Arena arena_of(const std::vector<int64_t>& lengths, int64_t statistics) {
  Layout layout;
  for (const int64_t length : lengths) {
    layout.buckets.push_back(
        {layout.elements, layout.elements + length, static_cast<int>(layout.buckets.size())});
    layout.elements += length;
  }
  if (statistics > 0)
    layout.segments.push_back({Segment::Kind::statistic, 0, layout.elements - statistics, statistics,
                               static_cast<int>(lengths.size()) - 1});
  return Arena(Graph{}, layout, 0);
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace convoy::testing
