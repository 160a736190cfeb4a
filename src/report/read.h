// From what is named at the prompt to runs. Understood, by content and not by name:
//   convoy     result.json of any version (unknown fields ignored), or its folder: then also metrics.jsonl, predictions.csv
//   simulation what `convoy simulate --out` writes
//   mlperf     result_*.txt, lines of ":::MLLOG {...}"; a folder of them is one side of several runs
//   google-benchmark, hyperfine    their JSON output, a quantity a benchmark or command
//   torchvision    what references/classification/train.py prints
//   ffcv       the folder or `log` of ffcv-imagenet, with params.json beside it
// Anything else, damaged files included, is one sentence and Exit::diverged; what is not there is Exit::usage.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/json_file.h"
#include "report/run.h"

namespace convoy::report {

// A run's folder, a folder of runs, a file, or a quoted glob; sorted by name, at least one.
std::vector<std::filesystem::path> find_runs(const std::string& argument);
Run read_run(const std::filesystem::path& path);

// One a format. `file` is where the text came from, for errors and for what lies beside it.
Run read_convoy(const std::filesystem::path& file, const Json& result);
Run read_simulation(const std::filesystem::path& file, const Json& json);
Run read_google_benchmark(const std::filesystem::path& file, const Json& json);
Run read_hyperfine(const std::filesystem::path& file, const Json& json);
Run read_mlperf(const std::filesystem::path& file, const std::string& text);
Run read_torchvision(const std::filesystem::path& file, const std::string& text);
Run read_ffcv(const std::filesystem::path& file, const std::string& text);

}  // namespace convoy::report
