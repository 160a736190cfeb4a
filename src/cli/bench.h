// What `convoy bench` has timed: named benchmarks with their repetitions, as a table and as Google Benchmark's JSON, which
// `convoy compare` reads, too. Times are wall-clock seconds of the slowest rank.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/roofline.h"

namespace convoy::cli {

struct Benchmark {
  std::string name;                              // "step/train", "layer/layer1.0.conv1/forward"
  std::vector<double> seconds{}, cpu_seconds{};  // by repetition; of this process, all threads
  double images = 0, flops = 0, bytes = 0;       // of one repetition; 0: no such rate
  std::string label{};                           // the implementation's name
};

struct BenchSheet {
  nlohmann::ordered_json context;
  Roofline roofline{};  // of one rank's threads; 0: not measured
  std::vector<Benchmark> benchmarks;
};

nlohmann::ordered_json google_benchmark_json(const BenchSheet& sheet);
void print_sheet(const BenchSheet& sheet);

// Runs `ours` and `theirs` (command lines that write a sheet to the file that is appended to them) in turns, and prints the
// ratio of each benchmark that both have, round by round: its median and interval. The sheets are of all rounds.
struct Duel {
  nlohmann::ordered_json ours, theirs;
};
Duel duel(const std::vector<std::string>& ours, const std::vector<std::string>& theirs, int rounds);
void print_duel(const Duel& duel);

}  // namespace convoy::cli
