// `convoy stage`: a packed dataset copied to storage of each node, its shards shared by the node's ranks and threads, each
// read back from there and compared with its digest. Shards that are already there and whole are kept; dataset.json comes
// last, so that a folder half filled is no dataset. Nothing is ever removed from the target.
// Collective: every rank returns the same report. What fails on one rank throws there alone, and the caller ends the job.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/log.h"
#include "port/communicator.h"

namespace convoy {

struct StageOptions {
  std::filesystem::path from, to;  // folders of the dataset itself
  int threads = 0;                 // copying on each rank; 0: the cores it may use
};

struct StageReport {
  int64_t nodes = 0, shards = 0;  // of the dataset: each node has them all
  int64_t copied = 0, kept = 0;   // over all nodes
  uint64_t bytes = 0;             // copied, over all nodes
  double seconds = 0;             // of the slowest rank
};

StageReport stage(const StageOptions& options, Communicator& comm, const Log& log);

}  // namespace convoy
