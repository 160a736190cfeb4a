// The checkpoints of a run: DIR/checkpoint-<step>.h5, the newest `keep` of them. Rank 0 writes and reads, all
// ranks hold the same arena; save and restore are collective. A save that fails for want of space or
// permission is a warning and the run goes on, the previous checkpoints intact; at the end it is an error if
// the last state could not be saved. An older file that cannot be removed is a warning too, and no failure.
// save_behind() copies the arena into memory that restore() has prepared on rank 0, and a thread does everything else:
// that copy is all that the training waits for, unless the checkpoint before is still under way.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "base/log.h"
#include "base/worker.h"
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
  ~Checkpoints();  // waits for what is being written
  Checkpoints(const Checkpoints&) = delete;
  Checkpoints& operator=(const Checkpoints&) = delete;

  const CheckpointPolicy& policy() const { return policy_; }
  // The step to go on with; 0, and the arena as it was or `start` makes it, without a checkpoint. Falls back to the
  // previous one, with a warning, if the newest is broken. On return every rank has the same arena.
  int64_t restore(Arena& arena, const Snapshot& wanted, const StartFn& start = {});
  // What restore() has gone on from; rank 0. Its step is 0 if nothing.
  const Snapshot& restored() const { return restored_; }
  // `now.step` steps are done. False if it could not be saved.
  bool save(const Arena& arena, const Snapshot& now);
  // The same beside the training, which may change the arena as soon as this returns. Rank 0 alone has work here;
  // it first waits for the one before.
  void save_behind(const Arena& arena, const Snapshot& now);
  void wait();  // for what is being written
  struct Saved {
    int64_t step = 0;    // steps done
    double seconds = 0;  // that the training waited for it
    double writing = 0;  // seconds of the thread beside it
  };
  // What save_behind() has brought to its end since the last call; rank 0.
  std::optional<Saved> saved_behind();
  double seconds() const { return seconds_; }                   // that the training waited
  const std::string& last_failure() const { return failure_; }  // "" if the newest save succeeded; rank 0
  Exit last_code() const { return code_; }                      // its error's code; on every rank

 private:
  int64_t newest_whole(Arena& arena, const Snapshot& wanted);
  void attempt(int64_t step, const std::function<void()>& write);
  void prepare_copy(const Arena& arena);
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
  // Of save_behind(): the thread alone touches failure_, code_, writing_ and done_behind_ while it runs.
  std::vector<Buffer> copy_;
  Flats copied_;
  Saved behind_;
  double writing_ = 0;  // the thread's
  std::atomic<bool> done_behind_ = false;
  Worker writer_;
};

// Of the newest checkpoint in `directory` that can be read; "" if there is none or it does not say.
std::string newest_fingerprint(const std::filesystem::path& directory);

// checkpoint-<step>.h5 in `directory`, newest first.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& directory);

}  // namespace convoy
