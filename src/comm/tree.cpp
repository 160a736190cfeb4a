#include "comm/tree.h"

#include <array>
#include <bit>

#include "base/error.h"

namespace convoy {
namespace {

struct Range {
  size_t begin, end;
  size_t size() const { return end - begin; }
  std::span<float> of(std::span<float> values) const { return values.subspan(begin, size()); }
};

// Addition of f32 commutes but for the payload of NaNs: the order of the operands is kept all the same.
void add_right(std::span<float> sum, std::span<const float> right) {
  float* to = sum.data();
  const float* from = right.data();
  for (size_t i = 0; i < sum.size(); ++i) to[i] = to[i] + from[i];
}

void add_left(std::span<float> sum, std::span<const float> left) {
  float* to = sum.data();
  const float* from = left.data();
  for (size_t i = 0; i < sum.size(); ++i) to[i] = from[i] + to[i];
}

}  // namespace

size_t tree_scratch(size_t elements, int ranks) { return ranks > 1 ? (elements + 1) / 2 : 0; }

void tree_sum(Communicator& communicator, std::span<float> values, std::span<float> scratch,
              const Finish& finish) {
  const int ranks = communicator.size(), rank = communicator.rank();
  ensure(std::has_single_bit(static_cast<unsigned>(ranks)));
  ensure(scratch.size() >= tree_scratch(values.size(), ranks));
  const int levels = std::countr_zero(static_cast<unsigned>(ranks));

  const auto swap_with = [&](int step, int peer, std::span<const float> out, std::span<float> in) {
    if (out.empty() && in.empty()) return;  // both sides know: fewer elements than ranks
    finish(*communicator.start_exchange(peer, out, in), TreeStep{step, 2 * levels, peer});
  };

  std::array<Range, 32> whole{},
      other{};  // by level: what was shared with the peer, and the half that the peer keeps
  Range mine{0, values.size()};
  for (int level = 0; level < levels; ++level) {
    const int peer = rank ^ (1 << level);
    const size_t middle = mine.begin + mine.size() / 2;
    const Range low{mine.begin, middle}, high{middle, mine.end};
    const auto l = static_cast<size_t>(level);
    whole[l] = mine;
    mine = rank < peer ? low : high;
    other[l] = rank < peer ? high : low;
    const std::span<float> theirs = scratch.first(mine.size());
    swap_with(level + 1, peer, other[l].of(values), theirs);
    if (rank < peer)
      add_right(mine.of(values), theirs);
    else
      add_left(mine.of(values), theirs);
  }
  for (int level = levels - 1; level >= 0; --level) {
    const auto l = static_cast<size_t>(level);
    swap_with(2 * levels - level, rank ^ (1 << level), mine.of(values), other[l].of(values));
    mine = whole[l];
  }
}

}  // namespace convoy
