// The fixed-order sum over P = 2^k ranks: reduce-scatter by vector halving with distance doubling (nearest
// rank first), then allgather the same way back: R. Rabenseifner, "Optimization of collective reduction
// operations", ICCS 2004. Element by element the sum is the balanced binary tree ((0+1)+(2+3))+((4+5)+(6+7))
// ..., the lower ranks' partial sum always on the left, whatever the length of the vector or the way it is
// cut: so the bits are a function of the order of the ranks alone. Moves 2 n (P-1)/P elements each way, of 4
// bytes or, for a 16-bit wire, of 2. The caller owns all memory; nothing is allocated but messages.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "comm/wire.h"
#include "port/communicator.h"

namespace convoy {

struct TreeStep {
  int step = 0, steps = 0;  // 1 ... 2k: the first k halve, the others gather
  int peer = 0;
  size_t bytes = 0;  // that come from the peer
};

// Called for every message with what is known of it; returns when it is complete (Pending::wait), or throws.
using Finish = std::function<void(Communicator::Pending&, const TreeStep&)>;

// `scratch` holds at least tree_scratch(values.size(), ranks) elements. Collective; one thread of each rank.
void tree_sum(Communicator& communicator, std::span<float> values, std::span<float> scratch,
              const Finish& finish);

// The same on values packed by `wire` (comm/wire.h), every partial sum rounded. Returns the overflows on this rank.
int64_t tree_sum(Communicator& communicator, const Wire& wire, std::span<uint16_t> values,
                 std::span<uint16_t> scratch, const Finish& finish);

size_t tree_scratch(size_t elements, int ranks);

}  // namespace convoy
