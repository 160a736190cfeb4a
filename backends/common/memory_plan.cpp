#include "backends/common/memory_plan.h"

#include <algorithm>

namespace convoy {
namespace {

constexpr size_t alignment = 64;

size_t rounded(size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

bool meet(const Interval& a, const Interval& b) { return a.first <= b.last && b.first <= a.last; }

struct Piece {
  size_t begin, end;
};

// `taken` ascends by begin; pieces may overlap each other.
size_t best_gap(const std::vector<Piece>& taken, size_t bytes) {
  size_t end = 0, best = 0, best_size = 0;
  bool found = false;
  for (const Piece& piece : taken) {
    if (piece.begin > end) {
      const size_t size = piece.begin - end;
      if (size >= bytes && (!found || size < best_size)) {
        found = true;
        best = end;
        best_size = size;
      }
    }
    end = std::max(end, piece.end);
  }
  return found ? best : end;
}

}  // namespace

MemoryPlan plan_memory(std::span<const Interval> intervals) {
  MemoryPlan plan;
  plan.offsets.assign(intervals.size(), 0);
  std::vector<size_t> order;
  for (size_t i = 0; i < intervals.size(); ++i)
    if (intervals[i].first >= 0 && intervals[i].bytes > 0) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return intervals[a].bytes > intervals[b].bytes; });
  std::vector<Piece> taken;
  for (size_t next = 0; next < order.size(); ++next) {
    const Interval& interval = intervals[order[next]];
    const size_t bytes = rounded(interval.bytes);
    taken.clear();
    for (size_t placed = 0; placed < next; ++placed) {
      const size_t other = order[placed];
      if (meet(interval, intervals[other]))
        taken.push_back({plan.offsets[other], plan.offsets[other] + rounded(intervals[other].bytes)});
    }
    std::sort(taken.begin(), taken.end(), [](Piece a, Piece b) { return a.begin < b.begin; });
    const size_t offset = best_gap(taken, bytes);
    plan.offsets[order[next]] = offset;
    plan.peak = std::max(plan.peak, offset + bytes);
  }
  return plan;
}

}  // namespace convoy
