#include "train/statistics.h"

#include <algorithm>
#include <utility>

namespace convoy {

ReadyFn with_statistics(int worker, const Graph& graph, Arena& arena, ReadyFn sum) {
  const bool all_asked =
      std::none_of(graph.stats.begin(), graph.stats.end(), [](const Statistic& s) { return s.first_worker; });
  if (worker == 0 || all_asked) return sum;
  return [&graph, &arena, sum = std::move(sum)](BucketId bucket, Event event) {
    for (const Segment& segment : arena.layout().segments) {
      if (segment.kind != Segment::Kind::statistic || segment.bucket != bucket) continue;
      if (graph.stats[static_cast<size_t>(segment.index)].first_worker)
        std::ranges::fill(arena.stat_grad(segment.index), 0.0f);
    }
    sum(bucket, event);
  };
}

}  // namespace convoy
