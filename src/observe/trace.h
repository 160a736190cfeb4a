// A trace of some steps in the Chrome trace event format (JSON object form), which ui.perfetto.dev and chrome://tracing
// open: a process a rank, with a lane each for steps, computing (by bucket), communication (by bucket), waiting for images,
// and one a decoder thread. "X" events, microseconds on rank 0's clock since its start. Every rank keeps its spans in memory
// (48 bytes each, at most 2^17); at the end rank 0 takes them from one rank after another and writes the file, holding one
// rank's text at a time. Steps [from, until) of the run are traced; a run that an error ends leaves no trace. Collective:
// one on every rank, sharing its store with the backend, the reducer and the loader.
#pragma once

#include <filesystem>
#include <string>

#include "base/log.h"
#include "observe/clock_offset.h"
#include "observe/guard.h"
#include "observe/span_store.h"
#include "port/communicator.h"
#include "train/record.h"

namespace convoy {

constexpr size_t trace_limit = 1 << 17;  // spans a rank

struct TraceSteps {
  int64_t from = 0, until = INT64_MAX;
};
TraceSteps parse_trace_steps(const std::string& text);  // "10:20", "10:", ":20"; Exit::usage otherwise

class Trace final : public Record {
 public:
  Trace(std::filesystem::path file, TraceSteps steps, SpanStore& store, Communicator& comm, Log log);
  Carried start(int64_t step, const FinalRecord& known) override;
  void step(const StepRecord& record) override;
  void evaluation(const EvaluationRecord& record) override;
  void checkpoint(int64_t steps_done, double seconds) override;
  void finish(const FinalRecord& record) override;

 private:
  bool wanted(int64_t step) const { return step >= steps_.from && step < steps_.until; }
  void ended(const char* name, int64_t number, double seconds);
  std::string events(const SharedClock& clock, double origin_seconds);
  void write(std::string own);

  std::filesystem::path path_;
  TraceSteps steps_;
  SpanStore& store_;
  Communicator& comm_;
  Log log_;
  Guard guard_;
  ClockOffset first_;
  double origin_ = 0;  // rank 0's clock when it started
  std::chrono::steady_clock::time_point mark_{};
};

}  // namespace convoy
