// Offsets for buffers with known lifetimes in one block of memory: greedy by size, each into the smallest gap between
// those already placed whose lifetimes meet its own (Pisarchyk & Lee 2020, "Efficient memory management for deep neural
// net inference", greedy by size). Lifetimes are inclusive; offsets are multiples of 64 bytes.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace convoy {

struct Interval {
  int first = -1, last = -1;  // {-1, -1}: never exists, takes no room
  size_t bytes = 0;
};

struct MemoryPlan {
  std::vector<size_t> offsets;  // by interval
  size_t peak = 0;              // bytes of the block
};

MemoryPlan plan_memory(std::span<const Interval> intervals);

}  // namespace convoy
