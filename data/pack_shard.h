// Makes one shard of a plan, or recognizes it as made already. The file is written under a temporary name (removed
// again on any failure) and takes its own name when it is whole, its digests have been read back (which may come from
// memory: it finds slips of ours, not of the disk) and it has been synchronized.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/pack.h"
#include "data/pack_plan.h"
#include "data/source.h"

namespace convoy {

struct ShardOutcome {
  int shard = 0;
  bool kept = false;     // was there from an earlier run
  bool written = false;  // false: bad images, and they are not to be quarantined
  uint64_t bytes = 0;
  int64_t samples = 0;
  int64_t rewritten = 0;  // of them, written anew
  std::string digest;
  std::vector<BadImage> bad;
};

ShardOutcome make_shard(int shard, const PackPlan& plan, const Source& source, SourceReader& reader,
                        const PackOptions& options, const Log& log);

inline constexpr const char* temporary_suffix = ".tmp";

}  // namespace convoy
