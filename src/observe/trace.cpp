#include "observe/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace convoy {
namespace {

using Clock = std::chrono::steady_clock;

struct Thread {
  int id;
  std::string name;
};

Thread thread_of(const Span& span) {
  switch (span.lane) {
    case Span::Lane::step:
      return {0, "steps"};
    case Span::Lane::compute:
      return {1, "compute"};
    case Span::Lane::communication:
      return {2, "communication"};
    case Span::Lane::input:
      return {3, "input: waiting"};
    case Span::Lane::decode:
      return {4 + span.thread, fmt::format("input: decoder {}", span.thread)};
  }
  return {};
}

std::string metadata(int rank, int thread, const char* key, const std::string& name) {
  return fmt::format(R"({{"ph":"M","ts":0,"pid":{},"tid":{},"name":"{}","args":{{"name":{}}}}})", rank,
                     thread, key,
                     nlohmann::json(name).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

int64_t number_of(std::string_view text, int64_t fallback, const std::string& whole) {
  if (text.empty()) return fallback;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= 0, Exit::usage,
          "--trace-steps {} is no range of steps: write it as 10:20, from step 10 to before step 20", whole);
  return value;
}

}  // namespace

TraceSteps parse_trace_steps(const std::string& text) {
  const size_t colon = text.find(':');
  require(colon != std::string::npos, Exit::usage,
          "--trace-steps {} is no range of steps: write it as 10:20, from step 10 to before step 20", text);
  TraceSteps steps;
  steps.from = number_of(std::string_view(text).substr(0, colon), 0, text);
  steps.until = number_of(std::string_view(text).substr(colon + 1), INT64_MAX, text);
  require(steps.from < steps.until, Exit::usage, "--trace-steps {} holds no step: write it as 10:20", text);
  return steps;
}

Trace::Trace(std::filesystem::path file, TraceSteps steps, SpanStore& store, Communicator& comm, Log log)
    : path_(std::move(file)), steps_(steps), store_(store), comm_(comm), log_(log), guard_(log) {}

Carried Trace::start(int64_t step, const FinalRecord&) {
  first_ = measure_clock_offset(comm_);
  origin_ = std::stod(comm_.gather(fmt::format("{}", seconds_of(Clock::now()))).front());
  store_.turn(wanted(step));
  mark_ = Clock::now();
  return {};
}

void Trace::ended(const char* name, int64_t number, double seconds) {
  const auto end = Clock::now();
  const auto begin =
      end - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  store_.add({.lane = Span::Lane::step,
              .name = name,
              .number = number,
              .begin = std::max(begin, mark_),
              .end = end});
  mark_ = end;
}

void Trace::step(const StepRecord& record) {
  const auto end = Clock::now();
  const auto update = end - std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(record.times.optimizer));
  store_.add({.lane = Span::Lane::compute,
              .name = "optimizer of step",
              .number = record.step,
              .begin = std::max(update, mark_),
              .end = end});
  store_.add({.lane = Span::Lane::step, .name = "step", .number = record.step, .begin = mark_, .end = end});
  mark_ = end;
  store_.turn(wanted(record.step + 1));
}

void Trace::evaluation(const EvaluationRecord& record) {
  ended("evaluation after step", record.step, record.seconds);
}

void Trace::checkpoint(int64_t steps_done, double seconds) {
  ended("checkpoint after step", steps_done - 1, seconds);
}

std::string Trace::events(const SharedClock& clock, double origin_seconds) {
  int64_t dropped = 0;
  const std::vector<Span> spans = store_.take(dropped);
  const int rank = comm_.rank();
  std::string text = metadata(rank, 0, "process_name", fmt::format("rank {} ({})", rank, comm_.host()));
  text += fmt::format(
      ",\n"
      R"({{"ph":"M","ts":0,"pid":{},"tid":0,"name":"process_sort_index","args":{{"sort_index":{}}}}})",
      rank, rank);
  if (dropped > 0)
    text += ",\n" + metadata(rank, 0, "process_labels", fmt::format("{} later spans were not kept", dropped));
  std::vector<bool> named;
  for (const Span& span : spans) {
    const Thread thread = thread_of(span);
    const auto id = static_cast<size_t>(thread.id);
    if (named.size() <= id) named.resize(id + 1);
    if (!named[id]) text += ",\n" + metadata(rank, thread.id, "thread_name", thread.name);
    named[id] = true;
    static constexpr std::array categories{"step", "compute", "communication", "input", "input"};
    // Both ends by the shared clock: its drift must not let a span reach into the next one.
    const double begin = 1e6 * clock.seconds(span.begin, origin_seconds);
    const double end = 1e6 * clock.seconds(span.end, origin_seconds);
    text += fmt::format(
        ",\n"
        R"({{"ph":"X","pid":{},"tid":{},"cat":"{}","name":"{}{}","ts":{:.3f},"dur":{:.3f}}})",
        rank, thread.id, categories[static_cast<size_t>(span.lane)], span.name,
        span.number >= 0 ? fmt::format(" {}", span.number) : "", begin, end - begin);
  }
  return text;
}

void Trace::finish(const FinalRecord&) {
  store_.turn(false);
  const ClockOffset second = measure_clock_offset(comm_);
  write(events(SharedClock(first_, second), origin_));
}

// One rank's text after another through rank 0, so that no rank holds all.
void Trace::write(std::string own) {
  const std::vector<std::string> sizes = comm_.gather(std::to_string(own.size()));
  const auto bytes = std::as_writable_bytes(std::span(own));
  if (comm_.rank() != 0) {
    comm_.start_exchange(0, bytes, {})->wait();
    return;
  }
  std::filesystem::path temporary = path_;
  temporary += ".tmp";
  std::unique_ptr<File> file;
  uint64_t end = 0;
  bool whole = true;
  const auto put = [&](std::string_view text) {
    if (!whole) return;
    whole = false;
    guard_([&] {
      if (!file) file = std::make_unique<File>(temporary, File::Mode::create);
      file->write_at(end, text.data(), text.size());
      end += text.size();
      whole = true;
    });
  };
  put("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
  put(own);
  for (int rank = 1; rank < comm_.size(); ++rank) {
    std::string theirs(std::stoull(sizes[static_cast<size_t>(rank)]), '\0');
    comm_.start_exchange(rank, {}, std::as_writable_bytes(std::span(theirs)))->wait();
    put(",\n");
    put(theirs);
  }
  put("\n]}\n");
  std::error_code ignored;
  if (whole)
    guard_([&] {
      publish(temporary, path_);
      log_.info("trace in {}: open it at ui.perfetto.dev", path_.string());
    });
  else
    std::filesystem::remove(temporary, ignored);
}

}  // namespace convoy
