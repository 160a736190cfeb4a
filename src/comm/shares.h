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

// `runs` runs over ranks of these speeds (runs a second, any unit), at least one each, so that the last is done as early as
// can be: how ranks of different hardware share a minibatch. Ties go to the lower rank.
std::vector<int> counts_by_speed(int runs, const std::vector<double>& speeds);

// Compares what all ranks hold; throws on every rank, naming the rank that differs. `layout` stands for the buckets.
void agree(Communicator& communicator, Road road, int workers, Share mine, const std::string& layout);

}  // namespace convoy
