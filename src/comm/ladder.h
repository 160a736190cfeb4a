// The local part of the fixed-order sum: a rank that runs n workers one after another adds their gradients as
// they come, in the order of the canonical tree T(n) = T(n/2) + T(n/2) while n is even, an odd n summed from
// left to right. With n = 2^q m, m odd: units of m workers from left to right, and a binary counter of units
// above them, so that q (+ 1 if m > 1) partial sums of the whole arena are kept. T over the local workers
// followed by comm/tree.h over P = 2^k ranks is T over all P n workers. Gradients and partial sums are rounded
// as comm/wire.h says. Owns the partial sums; works on the calling thread and OpenMP's.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "comm/wire.h"
#include "port/arena.h"

namespace convoy {

class Ladder {
 public:
  Ladder(size_t elements, int workers);

  // Adds what the `worker`-th worker (0 ... n-1) computed for the elements from `offset`. `values` is left
  // undefined, but after the last worker it holds the sum, still multiplied by the wire's scale. Every range goes
  // through all workers in order, always with the same wire; ranges do not mix.
  RangeErrors add(int worker, size_t offset, std::span<float> values, const Wire& wire = {});
  size_t bytes() const { return sums_.size() * elements_ * sizeof(float); }

 private:
  std::span<float> sum(size_t index, size_t offset, size_t count);
  size_t elements_;
  int workers_, unit_;
  size_t unit_sum_, levels_;  // sums_[0 .. levels_) by level of the counter, then the unit's
  std::vector<Buffer> sums_;
};

int odd_part(int workers);        // m
size_t ladder_sums(int workers);  // partial sums of the whole arena that are kept

}  // namespace convoy
