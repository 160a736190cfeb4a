#include "base/random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace convoy {

Philox4 philox(Philox4 c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = 0xD2511F53ull * c[0];
    const uint64_t p1 = 0xCD9E8D57ull * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k[0] += 0x9E3779B9u;  // golden ratio
    k[1] += 0xBB67AE85u;  // sqrt(3) - 1
  }
  return c;
}

uint64_t stream_of(std::string_view purpose, uint64_t a, uint64_t b, uint64_t c) {
  // FNV-1a over the purpose, then splitmix64 after each number: ids are well spread and never meet by accident.
  uint64_t h = 0xcbf29ce484222325ull;
  for (unsigned char ch : purpose) h = (h ^ ch) * 0x100000001b3ull;
  for (uint64_t value : {a, b, c}) {
    h += value + 0x9e3779b97f4a7c15ull;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ull;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebull;
    h ^= h >> 31;
  }
  return h;
}

Philox4 Random::block(uint64_t index) const {
  return philox({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
                 static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)},
                {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
}

uint32_t Random::bits(uint64_t index) const { return block(index / 4)[index % 4]; }

uint32_t Random::next_below(uint32_t n) {
  const uint32_t threshold = -n % n;
  while (true) {
    const uint64_t product = static_cast<uint64_t>(next_bits()) * n;
    if (static_cast<uint32_t>(product) >= threshold) return static_cast<uint32_t>(product >> 32);
  }
}

double Random::next_uniform() {
  const uint64_t high = next_bits() >> 5, low = next_bits() >> 6;
  return static_cast<double>(high << 26 | low) * 0x1p-53;
}

double normal(uint32_t a, uint32_t b) {
  const double radius = std::sqrt(-2.0 * std::log((a + 1.0) * 0x1p-32));
  return radius * std::cos(2.0 * std::numbers::pi * unit(b));
}

std::vector<uint32_t> permutation(uint32_t n, uint64_t seed, uint64_t stream) {
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  Random random(seed, stream);
  for (uint32_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.next_below(i)]);
  return order;
}

}  // namespace convoy
