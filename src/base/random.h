// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC'11, "Parallel random numbers: as easy as 1, 2, 3").
// A value is a pure function of (seed, stream, counter), so data order, augmentation, dropout and initialization do
// not depend on threads, ranks or the order of calls. Streams are made with stream_of(...): never reuse one.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace convoy {

using Philox4 = std::array<uint32_t, 4>;

// One block of Philox4x32-10; known answers of the paper's distribution are in tests/unit.
Philox4 philox(Philox4 counter, std::array<uint32_t, 2> key);

// A 64-bit stream id from a purpose ("order", "crop", "dropout", "init") and up to three numbers.
uint64_t stream_of(std::string_view purpose, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0);

class Random {
 public:
  Random(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

  // Random access: 32 bits at `index`; block index/4, lane index%4.
  uint32_t bits(uint64_t index) const;
  Philox4 block(uint64_t index) const;

  // Sequential use, each call takes the next index.
  uint32_t next_bits() { return bits(next_++); }
  uint32_t next_below(uint32_t n);  // uniform in [0, n), unbiased (Lemire)
  double next_uniform();            // [0, 1), 53 bits, two indices

 private:
  uint64_t seed_, stream_, next_ = 0;
};

// bits -> [0, 1) in steps of 2^-32, and a standard normal by Box-Muller from two words (double arithmetic).
inline double unit(uint32_t bits) { return bits * 0x1p-32; }
double normal(uint32_t a, uint32_t b);

// A permutation of [0, n): Fisher-Yates, a function of (seed, stream) alone.
std::vector<uint32_t> permutation(uint32_t n, uint64_t seed, uint64_t stream);

}  // namespace convoy
