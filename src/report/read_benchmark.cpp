// Google Benchmark's --benchmark_format=json and hyperfine's --export-json: one quantity a benchmark or command, in
// seconds, with the repetitions' times.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "report/read.h"
#include "report/statistics.h"

namespace convoy::report {
namespace {

std::optional<double> unit_seconds(const std::string& unit) {
  if (unit == "ns") return 1e-9;
  if (unit == "us") return 1e-6;
  if (unit == "ms") return 1e-3;
  if (unit == "s") return 1.0;
  return {};
}

void add_times(Run& run, const std::string& name, std::vector<double> seconds) {
  if (name.empty() || seconds.empty() || run.quantity(name) != nullptr) return;
  const double value = median(seconds);
  run.quantities.push_back({.name = name,
                            .title = name + ", seconds",
                            .better = Better::less,
                            .decides = true,
                            .value = value,
                            .samples = std::move(seconds)});
}

void finish(Run& run) {
  require(!run.quantities.empty(), Exit::diverged, "{} holds no times: run the benchmarks again", run.path);
  set(run.task, "benchmark", fmt::format("\"{}\"", run.format));
  run.status = "completed";
}

}  // namespace

Run read_google_benchmark(const std::filesystem::path& file, const Json& json) {
  Run run{.path = file.string(), .name = file.filename().string(), .format = "google-benchmark"};
  std::vector<std::string> order;
  std::map<std::string, std::vector<double>> repetitions, medians;
  for (const Json& entry : list(json, "benchmarks")) {
    const auto unit = unit_seconds(string(entry, "time_unit").value_or("ns"));
    const auto time = number(entry, "real_time");
    const Json* failed = member(entry, "error_occurred");
    if (!unit || !time || *time < 0 || (failed != nullptr && *failed == true)) continue;
    const std::string name = string(entry, "run_name").value_or(string(entry, "name").value_or(""));
    const bool aggregate = string(entry, "run_type") == "aggregate";
    if (aggregate && string(entry, "aggregate_name") != "median") continue;
    if (std::ranges::find(order, name) == order.end()) order.push_back(name);
    (aggregate ? medians : repetitions)[name].push_back(*time * *unit);
  }
  for (const std::string& name : order)
    add_times(run, name, repetitions.contains(name) ? repetitions[name] : medians[name]);
  set(run.launch, "host", string(json, "context.host_name").value_or(""));
  set(run.launch, "cpus", text(json, "context.num_cpus"));
  set(run.launch, "library_build_type", string(json, "context.library_build_type").value_or(""));
  finish(run);
  return run;
}

Run read_hyperfine(const std::filesystem::path& file, const Json& json) {
  Run run{.path = file.string(), .name = file.filename().string(), .format = "hyperfine"};
  for (const Json& entry : list(json, "results")) {
    std::vector<double> seconds;
    for (const Json& time : list(entry, "times"))
      if (const auto value = number(time, ""); value && *value >= 0) seconds.push_back(*value);
    if (seconds.empty())
      if (const auto value = number(entry, "median")) seconds.push_back(*value);
    add_times(run, string(entry, "command").value_or(""), std::move(seconds));
  }
  finish(run);
  return run;
}

}  // namespace convoy::report
