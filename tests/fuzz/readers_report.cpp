// What `convoy compare` and `convoy watch` read: runs' folders, and the logs of other programs.
#include <stdexcept>

#include "base/error.h"
#include "observe/run_view.h"
#include "observe/watch_text.h"
#include "report/compare.h"
#include "report/html.h"
#include "report/print.h"
#include "report/read.h"
#include "scratch.h"
#include "train/class_names.h"

namespace convoy::fuzz {
namespace {

namespace fs = std::filesystem;

void show(std::vector<std::vector<report::Run>> sides) {
  const report::Comparison comparison = report::compare(std::move(sides), {.force = true});
  for (const auto& print : {report::table, report::markdown, report::csv, report::json, report::html_page})
    print(comparison);
}

// result.json, metrics.jsonl, times.jsonl, predictions.csv, classes.json; .lock
void read_results(Bytes bytes) {
  const std::vector<Bytes> parts = parts_of(bytes, 5);
  constexpr const char* names[] = {"result.json", "metrics.jsonl", "times.jsonl", "predictions.csv",
                                   "classes.json"};
  const fs::path folder = scratch() / "run";
  fs::create_directories(folder);
  for (size_t i = 0; i < std::size(names); ++i) written(std::string("run/") + names[i], parts[i]);
  RunView view(folder);
  const RunState& state = view.refresh();
  to_json(state).dump();
  for (const std::string& line : watch_block(state, false, 0))
    if (line.find('\x1b') != std::string::npos) throw std::logic_error("a file steers the terminal");
  watch_line(state);
  if (!parts[4].empty()) {
    try {
      read_class_names(folder / "classes.json");
    } catch (const Error&) {  // the others may still be read
    }
  }
  const report::Run run = report::read_run(folder / "result.json");
  show({{run}, {run}});
}

void read_logs(Bytes bytes) {
  const std::vector<Bytes> parts = parts_of(bytes, 2);  // FFCV's log has its params.json beside it
  const fs::path folder = scratch() / "log";
  fs::create_directories(folder);
  written("log/params.json", parts[1]);
  const report::Run run = report::read_run(written("log/log", parts[0]));
  show({{run}, {run}});
}

}  // namespace

std::vector<Reader> report_readers() { return {{"result", read_results}, {"logs", read_logs}}; }

}  // namespace convoy::fuzz
