// A Placement says where an Experiment runs: which ranks, which backend on each, which workers on each. The
// bits depend on none of it on the tree road. Workers are dealt in contiguous shares. The tree takes any
// power of two of ranks that divides W; the library's sum takes any count up to W, shares differing by at
// most one, or as they are given: ranks of different hardware share by their speed. Where batch norm takes `together` workers' statistics together, those stay on one rank, which
// runs them as one: the same then holds of W/together runs.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "comm/reducer.h"

namespace convoy {

struct PlacementOptions {
  std::vector<std::string> backends{"onednn"};  // one for all ranks, or one per rank
  int threads = 0;                              // per rank; 0: what affinity gives
  std::string road = "tree";                    // or "library"
  std::vector<int> counts{};  // workers of each rank; empty: even. Unequal ones: the library's road
  bool overlap = true;
  std::chrono::seconds stall_limit{600};
};

struct Placement {
  std::vector<Share> shares;          // by rank, in workers
  std::vector<std::string> backends;  // by rank
  int threads = 0;
  ReducerOptions reducer;
  int together = 1;
  Share runs(int rank) const {
    const Share& share = shares.at(static_cast<size_t>(rank));
    return {share.first / together, share.count / together};
  }
  int ranks() const { return static_cast<int>(shares.size()); }
};

// Exit::usage with the rank counts that would do where `ranks` does not.
Placement place(int workers, int ranks, const PlacementOptions& options, int together = 1);

}  // namespace convoy
