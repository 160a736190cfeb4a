#include "train/placement.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "comm/shares.h"

namespace convoy {

Placement place(int workers, int ranks, const PlacementOptions& options, int together) {
  ensure(together > 0 && workers % together == 0);
  const int runs = workers / together;
  const std::string what =
      together == 1 ? fmt::format("{} workers", workers)
                    : fmt::format("{} workers in {} batch norm groups of {}", workers, runs, together);
  require(
      options.road == "tree" || options.road == "library", Exit::usage,
      "road {} is not known: tree (the same bits on any number of ranks) or library (any number of ranks)",
      options.road);
  const bool tree = options.road == "tree";
  const std::vector<int> possible = tree_rank_counts(runs);
  require(!tree || (runs % ranks == 0 && (ranks & (ranks - 1)) == 0), Exit::usage,
          "{} ranks cannot share {} on the tree: start {} ranks, or take --road library with up to {} "
          "(then the result is repeatable, but not the same bits on every number of ranks)",
          ranks, what, fmt::join(possible, ", "), runs);
  require(ranks <= runs, Exit::usage, "{} ranks for {} leaves ranks without work: start at most {}", ranks,
          what, runs);
  require(options.backends.size() == 1 || static_cast<int>(options.backends.size()) == ranks, Exit::usage,
          "{} backends are named for {} ranks: name one for all, or one for every rank",
          options.backends.size(), ranks);
  const std::vector<int>& counts = options.counts;
  const bool uneven = std::ranges::adjacent_find(counts, std::not_equal_to()) != counts.end();
  require(!tree || !uneven, Exit::usage, "shares of {} need --road library: the tree's are equal",
          fmt::join(counts, ","));
  const bool fits = static_cast<int>(counts.size()) == ranks && std::ranges::min(counts) > 0 &&
                    std::accumulate(counts.begin(), counts.end(), int64_t{0}) == workers &&
                    std::ranges::all_of(counts, [&](int count) { return count % together == 0; });
  require(counts.empty() || fits, Exit::usage,
          "shares of {} do not deal {} to {} ranks: give every rank at least {}, {} in all",
          fmt::join(counts, ","), what, ranks,
          together == 1 ? "one" : fmt::format("{}, or a multiple of it", together), workers);
  Placement placement;
  int next = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    const Share share = counts.empty() ? even_share(runs, ranks, rank)
                                       : Share{next, counts[static_cast<size_t>(rank)] / together};
    next += share.count;
    placement.shares.push_back({share.first * together, share.count * together});
    placement.backends.push_back(options.backends.size() == 1 ? options.backends[0]
                                                              : options.backends[static_cast<size_t>(rank)]);
  }
  placement.threads = options.threads;
  placement.together = together;
  placement.reducer.road = tree ? Road::tree : Road::library;
  placement.reducer.overlap = options.overlap;
  placement.reducer.stall_limit = options.stall_limit;
  return placement;
}

}  // namespace convoy
