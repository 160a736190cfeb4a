// One checkpoint file: HDF5, readable by h5py. Datasets /weights/<name> and /state<i>/<name> in canonical
// layout (OIHW; the running statistics are among the weights), each with an attribute xxh3; the root's
// attributes say what it is. Written under a temporary name, synced and renamed, so that a file with its
// final name is whole. Memory is written and read in place, without a copy. Any thread may call, but one at a time:
// HDF5's calls are not made for more.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "port/arena.h"
#include "train/loss_scale.h"

namespace convoy {

struct Snapshot {
  int64_t step = 0;  // steps done: training goes on with this one
  uint64_t seed = 0;
  std::string hash;        // of the experiment
  std::string arithmetic;  // the lines it is the hash of, to say what differs
  // Of the run that has come so far (train/fingerprint.h); "": not recorded.
  std::string fingerprint{}, claim{};
  LossScale::State loss_scale{};
};

// Damaged or unreadable, as opposed to "whole, but of something else": an older checkpoint may serve.
class BrokenCheckpoint : public Error {
 public:
  using Error::Error;
};

// What of an arena a checkpoint holds: the weights, then the states.
using Flats = std::vector<std::span<const float>>;
Flats flats_of(const Arena& arena);

// `values`: an arena's of this layout, or a copy of them. After a failure there is no temporary file.
void write_checkpoint(const std::filesystem::path& path, const Graph& graph, const Layout& layout,
                      const Flats& values, const Snapshot& snapshot);
void write_checkpoint(const std::filesystem::path& path, const Graph& graph, const Arena& arena,
                      const Snapshot& snapshot);
// Weights and states (if `states`) of `path` into the arena, checksums verified. Refuses another network,
// naming the first tensor that differs. The arena is only meaningful after success.
Snapshot read_checkpoint(const std::filesystem::path& path, const Graph& graph, Arena& arena,
                         bool states = true);
// Without reading a tensor.
Snapshot read_snapshot(const std::filesystem::path& path);
// Refuses if `found` is of another experiment, in a sentence that names the keys that differ.
void require_same_experiment(const std::filesystem::path& path, const Snapshot& found,
                             const Snapshot& wanted);

std::string checkpoint_library();  // "HDF5 1.10.8"

}  // namespace convoy
