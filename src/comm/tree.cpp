#include "comm/tree.h"

#include <array>
#include <bit>

#include "base/error.h"

namespace convoy {
namespace {

struct Range {
  size_t begin, end;
  size_t size() const { return end - begin; }
  template <class T>
  std::span<T> of(std::span<T> values) const {
    return values.subspan(begin, size());
  }
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

// `add(mine, theirs, theirs_is_left)` makes of two partial sums one.
template <class T, class Add>
void sum_over_tree(Communicator& communicator, std::span<T> values, std::span<T> scratch,
                   const Finish& finish, Add add) {
  const int ranks = communicator.size(), rank = communicator.rank();
  ensure(std::has_single_bit(static_cast<unsigned>(ranks)));
  ensure(scratch.size() >= tree_scratch(values.size(), ranks));
  const int levels = std::countr_zero(static_cast<unsigned>(ranks));

  const auto swap_with = [&](int step, int peer, std::span<const T> out, std::span<T> in) {
    if (out.empty() && in.empty()) return;  // both sides know: fewer elements than ranks
    finish(*communicator.start_exchange(peer, std::as_bytes(out), std::as_writable_bytes(in)),
           TreeStep{step, 2 * levels, peer, in.size_bytes()});
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
    const std::span<T> theirs = scratch.first(mine.size());
    swap_with(level + 1, peer, other[l].of(values), theirs);
    add(mine.of(values), theirs, peer < rank);
  }
  for (int level = levels - 1; level >= 0; --level) {
    const auto l = static_cast<size_t>(level);
    swap_with(2 * levels - level, rank ^ (1 << level), mine.of(values), other[l].of(values));
    mine = whole[l];
  }
}

}  // namespace

size_t tree_scratch(size_t elements, int ranks) { return ranks > 1 ? (elements + 1) / 2 : 0; }

void tree_sum(Communicator& communicator, std::span<float> values, std::span<float> scratch,
              const Finish& finish) {
  sum_over_tree(communicator, values, scratch, finish,
                [](std::span<float> mine, std::span<const float> theirs, bool left) {
                  if (left)
                    add_left(mine, theirs);
                  else
                    add_right(mine, theirs);
                });
}

int64_t tree_sum(Communicator& communicator, const Wire& wire, std::span<uint16_t> values,
                 std::span<uint16_t> scratch, const Finish& finish) {
  int64_t overflows = 0;
  sum_over_tree(communicator, values, scratch, finish,
                [&](std::span<uint16_t> mine, std::span<const uint16_t> theirs, bool left) {
                  overflows += left ? add_left(wire, mine, theirs) : add_right(wire, mine, theirs);
                });
  return overflows;
}

}  // namespace convoy
