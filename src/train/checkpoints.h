// The checkpoints of a run: DIR/checkpoint-<step>.h5, the newest `keep` of them. Rank 0 writes and reads, all
// ranks hold the same arena; save and restore are collective. A save that fails for want of space or
// permission is a warning and the run goes on, the previous checkpoints intact; at the end it is an error if
// the last state could not be saved. An older file that cannot be removed is a warning too, and no failure.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "base/log.h"
#include "port/communicator.h"
#include "train/checkpoint.h"

namespace convoy {

struct CheckpointPolicy {
  std::filesystem::path directory;  // empty: nothing is saved or restored
  int64_t every_steps = 0;          // 0: not by steps
  int every_epochs = 1;             // 0: not by epochs; the last step is always saved
  int keep = 2;
  bool resume = false;
};

// What the arena holds before step 0; called on rank 0, after Arena::initialize, where nothing is restored.
using StartFn = std::function<void(Arena&)>;

class Checkpoints {
 public:
  Checkpoints(CheckpointPolicy policy, const Graph& graph, Communicator& comm, Log log);

  const CheckpointPolicy& policy() const { return policy_; }
  // The step to go on with; 0, and the arena as it was or `start` makes it, without a checkpoint. Falls back to the
  // previous one, with a warning, if the newest is broken. On return every rank has the same arena.
  int64_t restore(Arena& arena, const Snapshot& wanted, const StartFn& start = {});
  // What restore() has gone on from; rank 0. Its step is 0 if nothing.
  const Snapshot& restored() const { return restored_; }
  // `now.step` steps are done. False if it could not be saved.
  bool save(const Arena& arena, const Snapshot& now);
  double seconds() const { return seconds_; }
  const std::string& last_failure() const { return failure_; }  // "" if the newest save succeeded; rank 0
  Exit last_code() const { return code_; }                      // its error's code; on every rank

 private:
  int64_t newest_whole(Arena& arena, const Snapshot& wanted);
  void write(const Arena& arena, const Snapshot& now);
  void prune() const;
  void remove_torn() const;

  CheckpointPolicy policy_;
  const Graph& graph_;
  Communicator& comm_;
  Log log_;
  double seconds_ = 0.0;
  Snapshot restored_;
  std::string failure_;
  Exit code_ = Exit::ok;
};

// Of the newest checkpoint in `directory` that can be read; "" if there is none or it does not say.
std::string newest_fingerprint(const std::filesystem::path& directory);

// checkpoint-<step>.h5 in `directory`, newest first.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& directory);

}  // namespace convoy
