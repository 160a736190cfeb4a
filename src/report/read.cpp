#include "report/read.h"

#include <glob.h>

#include <algorithm>
#include <memory>
#include <system_error>

#include "base/error.h"

namespace convoy::report {
namespace {

namespace fs = std::filesystem;

constexpr const char* known =
    "convoy's result.json or simulation, MLPerf's result_*.txt, Google Benchmark's or hyperfine's JSON, or a log of torchvision's "
    "or FFCV's";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    found.push_back(at->path());
  require(!error, Exit::diverged, "cannot list {}: {}", folder.string(), error.message());
  std::ranges::sort(found);
  return found;
}

// The run that this folder is, if it is one: what read_run() is to read.
fs::path run_of_folder(const fs::path& folder) {
  if (is_file(folder / "result.json")) return folder / "result.json";
  if (is_file(folder / "params.json") && is_file(folder / "log")) return folder / "log";
  return {};
}

std::vector<fs::path> runs_in(const fs::path& folder) {
  if (const fs::path run = run_of_folder(folder); !run.empty()) return {run};
  std::vector<fs::path> runs;
  for (const fs::path& entry : entries(folder)) {
    const std::string name = entry.filename().string();
    std::error_code ignored;
    if (name.starts_with("result_") && name.ends_with(".txt") && is_file(entry)) runs.push_back(entry);
    if (!fs::is_directory(entry, ignored)) continue;
    if (const fs::path run = run_of_folder(entry); !run.empty()) runs.push_back(run);
  }
  require(!runs.empty(), Exit::usage,
          "{} holds no run: name a folder with a result.json in it, a folder of such folders, or a file",
          folder.string());
  return runs;
}

std::vector<fs::path> matches(const std::string& pattern) {
  glob_t found{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> freed(&found, &globfree);
  if (glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) != 0) return {};
  std::vector<fs::path> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  std::ranges::sort(paths);
  return paths;
}

bool has(const std::string& text, const char* word) { return text.find(word) != std::string::npos; }

bool is_printable_start(const std::string& text) {
  return std::ranges::none_of(text.substr(0, 4096), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\x1b' && c != '\b';
  });
}

}  // namespace

std::vector<fs::path> find_runs(const std::string& argument) {
  std::error_code ignored;
  if (fs::is_directory(argument, ignored)) return runs_in(argument);
  if (fs::exists(argument, ignored)) return {argument};
  std::vector<fs::path> runs;
  if (argument.find_first_of("*?[") != std::string::npos)
    for (const fs::path& path : matches(argument)) {
      const bool folder = fs::is_directory(path, ignored);
      const std::vector<fs::path> more = folder ? runs_in(path) : std::vector<fs::path>{path};
      runs.insert(runs.end(), more.begin(), more.end());
    }
  require(!runs.empty(), Exit::usage,
          "there is no {}: name a run's folder (runs/...), its result.json, or {}", argument,
          "a quoted pattern that matches some");
  return runs;
}

Run read_run(const fs::path& path) {
  const std::string text = read_file(path);
  require(text.find_first_not_of(" \t\r\n") != std::string::npos, Exit::diverged,
          "{} is empty: it holds no run", path.string());
  if (const auto json = parse(text)) {
    if (string(*json, "schema").value_or("").starts_with("convoy.result/")) return read_convoy(path, *json);
    if (string(*json, "schema").value_or("").starts_with("convoy.simulation/"))
      return read_simulation(path, *json);
    if (!list(*json, "benchmarks").empty()) return read_google_benchmark(path, *json);
    if (!list(*json, "results").empty()) return read_hyperfine(path, *json);
    if (!has(text, "\"top_1\""))  // one line of FFCV's log is JSON as well
      fail(Exit::diverged, "{} is JSON, but no result file known here: give {}", path.string(), known);
  }
  if (has(text, ":::MLLOG")) return read_mlperf(path, text);
  if (has(text, "\"top_1\"") && has(text, "\"relative_time\"")) return read_ffcv(path, text);
  if (has(text, "Acc@1") || (has(text, "Epoch: [") && has(text, "img/s:")))
    return read_torchvision(path, text);
  const size_t first = text.find_first_not_of(" \t\r\n");
  require(
      text[first] != '{' && text[first] != '[', Exit::diverged,
      "{} is not whole JSON (cut off, damaged, nested over {} deep, or with a number beyond a double's range): "
      "copy it again",
      path.string(), deepest);
  require(is_printable_start(text), Exit::diverged, "{} is a binary file: give {}", path.string(), known);
  fail(Exit::diverged, "{} is no result file known here: give {}", path.string(), known);
}

}  // namespace convoy::report
