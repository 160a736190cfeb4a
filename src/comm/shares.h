// Which workers run on which ranks: contiguous shares by rank, what the tree asks of them, and the check that all ranks
// mean the same. Pure but for agree(), which is collective.
#pragma once

#include <string>
#include <vector>

#include "comm/reducer.h"

namespace convoy {

std::vector<int> tree_rank_counts(int workers);  // powers of two that divide `workers`, ascending

// Throws one sentence when the tree cannot run W workers on so many ranks, with the counts that would do.
void require_tree(int workers, int ranks);

// Compares what all ranks hold; throws on every rank, naming the rank that differs. `layout` stands for the buckets.
void agree(Communicator& communicator, Road road, int workers, Share mine, const std::string& layout);

}  // namespace convoy
