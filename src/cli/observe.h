// The flags of `convoy train` that watch a run, and the Records they ask for. What is observed changes no bit.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "observe/observers.h"
#include "observe/span_store.h"
#include "observe/trace.h"
#include "port/backend.h"
#include "port/communicator.h"
#include "train/experiment.h"
#include "train/run_directory.h"

namespace convoy::cli {

struct ObserveFlags {
  std::vector<std::string> what{"times", "tensorboard", "mllog", "prometheus", "energy"};
  std::string trace, trace_steps;
  bool traces() const { return !trace.empty() || !trace_steps.empty(); }
};

void add_observe_flags(CLI::App& command, ObserveFlags& flags);

// What a trace needs before there is a run: the store that loader, reducer and backend tell of their spans, or nothing.
// Exit::usage where the flags contradict themselves.
struct Tracing {
  Tracing(const ObserveFlags& flags, bool writes);  // writes: on rank 0
  SpanSink* sink() { return store ? &*store : nullptr; }
  std::unique_ptr<Backend> around(std::unique_ptr<Backend> backend);

  std::optional<SpanStore> store;
  TraceSteps steps;
};

struct Observed {
  const Experiment& experiment;
  const DatasetFacts& train;
  const DatasetFacts& held_out;
  const RunDirectory& directory;
  Communicator& comm;
  Log log;
};

// `run` (rank 0's RunRecord, or another rank's silent one) with the observers around it. On every rank.
std::unique_ptr<Observers> observe(const ObserveFlags& flags, Tracing& tracing, std::unique_ptr<Record> run,
                                   const Observed& observed);

}  // namespace convoy::cli
