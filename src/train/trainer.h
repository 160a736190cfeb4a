// The loop. train() runs an Experiment on this rank of its Placement: every rank calls it with the same
// experiment and its own parts. It owns the arena, the plans and the reducer; everything in Job belongs to
// the caller and must outlive it. Collective and synchronous, but for the sum of gradients, which overlaps
// the backward pass (comm/reducer.h).
#pragma once

#include <atomic>
#include <optional>

#include "base/log.h"
#include "port/backend.h"
#include "port/communicator.h"
#include "port/loader.h"
#include "train/checkpoints.h"
#include "train/deadline.h"
#include "train/experiment.h"
#include "train/placement.h"
#include "train/record.h"

namespace convoy {

struct Job {
  const Experiment& experiment;
  const Placement& placement;
  const Graph& graph;  // make_network(experiment.network, train.classes)
  Communicator& comm;
  Backend& backend;  // of this rank
  Loader& images;    // training: batches of runs_of(experiment), this rank's prefetched
  Loader* held_out;  // evaluation: workers = ranks (train/evaluate.h); null: none
  DatasetFacts train_facts, held_out_facts;
  CheckpointPolicy checkpoints;
  Record& record;
  Log log;
  const std::atomic<bool>* stop = nullptr;  // set (by a signal): checkpoint, then Exit::time_limit
  int64_t stop_after = 0;                   // the same when so many steps are done; 0: never
  Deadline deadline;                        // the same in time before it
  // Steps between comparisons of the ranks' weights, with one before every checkpoint; 0: at evaluations alone.
  int64_t check_every = 0;
  StartFn start{};  // initial weights other than the seed's (train/checkpoints.h)
};

struct Outcome {
  Exit exit = Exit::ok;            // diverged; time_limit; the error's code if the last state was not saved
  std::string reason;              // of an exit other than ok, one sentence
  int64_t steps = 0;               // done, restored ones included
  std::string digest;              // of all weights
  std::optional<Totals> held_out;  // of the last evaluation in this call
};

Outcome train(const Job& job);

}  // namespace convoy
