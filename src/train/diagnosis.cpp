#include "train/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

namespace convoy {
namespace {

// The first in the order of the network's layers.
std::string first_bad_tensor(const Graph& graph, Arena& arena) {
  const auto bad = [](std::span<const float> values) {
    return !std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
  };
  std::string where = "all weights and gradients are finite";
  for (size_t s = graph.stats.size(); s-- > 0;)
    if (bad(arena.stat_grad(static_cast<int>(s))))
      where = "the first statistics that are not finite are " + graph.stats[s].name;
  for (size_t p = graph.params.size(); p-- > 0;) {
    const std::string& name = graph.params[p].name;
    if (bad(arena.param_grad(static_cast<int>(p))))
      where = "the first gradient that is not finite is that of " + name;
    if (bad(arena.param(static_cast<int>(p)))) where = "the first weights that are not finite are " + name;
  }
  return where;
}

constexpr const char* advice = "lower the rate or lengthen the warm-up";

}  // namespace

std::string diagnose_step(int64_t step, const Totals& totals, const Graph& graph, Arena& arena) {
  const std::string what = totals.nonfinite > 0
                               ? fmt::format("the loss of {} of {} images", totals.nonfinite, totals.images)
                               : "a gradient or a batch norm's statistic";
  return fmt::format("{} is not finite at step {}: {}; {}", what, step, first_bad_tensor(graph, arena),
                     advice);
}

std::string diagnose_overflow(int64_t step, std::span<const RangeErrors> mine, const NarrowSums& sums,
                              const Graph& graph, const Layout& layout, Communicator& comm) {
  std::vector<int64_t> overflows;
  for (const RangeErrors& errors : mine) overflows.push_back(errors.overflows);
  comm.sum(overflows);
  const auto first =
      std::find_if(overflows.begin(), overflows.end(), [](int64_t count) { return count > 0; });
  const auto bucket = static_cast<int>(first - overflows.begin());
  const auto segment = std::find_if(layout.segments.begin(), layout.segments.end(),
                                    [&](const Segment& candidate) { return candidate.bucket == bucket; });
  return fmt::format(
      "{} finite values overflowed {} on the wire at step {}, in bucket {} of {} (from {} on) first: lower "
      "allreduce.scale ({} keeps sums over the workers as small as one gradient), or choose another "
      "allreduce.wire",
      std::accumulate(overflows.begin(), overflows.end(), int64_t{0}), sums.wire.name(), step, bucket + 1,
      overflows.size(), graph.params[static_cast<size_t>(segment->index)].name,
      1.0 / std::bit_ceil(static_cast<unsigned>(sums.workers)));
}

std::string diagnose_evaluation(int64_t step, const Totals& held_out, const Graph& graph, Arena& arena) {
  return fmt::format("the held-out loss of {} of {} images is not finite after step {}: {}; {}",
                     held_out.nonfinite, held_out.images, step, first_bad_tensor(graph, arena), advice);
}

}  // namespace convoy
