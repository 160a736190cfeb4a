// The end of a pack: what the ranks made is put together, checked as a whole, and dataset.json written.
#pragma once

#include <vector>

#include "data/pack.h"
#include "data/pack_plan.h"
#include "data/pack_shard.h"

namespace convoy {

// Every rank's outcomes on every rank, by shard.
std::vector<ShardOutcome> gather_outcomes(const std::vector<ShardOutcome>& mine, int shards,
                                          Communicator& comm);

// Rank 0 reads the shards' indexes, counts classes and equal images, writes quarantine.tsv and, last, dataset.json.
PackReport finish_pack(const PackOptions& options, const PackPlan& plan, const Source& source,
                       const std::vector<ShardOutcome>& outcomes, Communicator& comm, const Log& log);

}  // namespace convoy
