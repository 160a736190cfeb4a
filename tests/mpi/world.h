// What the cases of this rung share: the communicator over all launched ranks, gradients to be summed, and the sums
// written down literally.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "comm/mpi.h"
#include "port/arena.h"
#include "port/forwarding.h"

namespace convoy::testing {

MpiCommunicator& world();  // alive while Catch runs

// Element i of worker w's gradient: both signs, exponents over 40 binary places, so that the order of additions shows.
float gradient(int step, int worker, size_t i);

// The canonical tree by its definition, element by element: T(n) = T(n/2) + T(n/2) while n is even, else left to right.
float tree_of(const std::function<float(int)>& leaf, int first, int count);

// A flat arena without parameters, cut into buckets of the given lengths; the last elements are statistics.
Arena arena_of(const std::vector<int64_t>& lengths, int64_t statistics = 0);

using Forwarding = ForwardingCommunicator;

bool same_bits(std::span<const float> a, std::span<const float> b);

}  // namespace convoy::testing
