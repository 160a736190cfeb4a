// A machine as the simulator and the forecasts know it, read from a cluster file (jobs/launch/clusters/*.toml): nodes
// behind one switch or a two-level fat tree, ranks on a node, seconds of a rank's step. Every number stands with its mark
// (read, derived, measured, unverified) and its source, and there is no other way to write one. At most two values may be
// fitted, each on what it was fitted to; they stand in for the specification's where a calibrated figure is asked for.
// SI units: bytes per second of one direction, seconds.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace convoy::simulate {

enum class Basis { specification, calibration };
Basis basis_of(const std::string& name);  // as the command line has it

struct Number {
  double value = 0;
  std::string mark, source;
};

struct StepTime {  // forward and backward of one rank's minibatch, with nobody to wait for
  std::string network;
  int images = 0;
  int ranks =
      1;  // above 1: what the slowest of so many took, from which the usual rank's follows with rank.spread
  Number seconds;
  double backward = 0;  // of a rank with nobody to wait for; 0: by the operations' share
  std::vector<double>
      ready{};  // shares of the step after which the gradient buckets were complete, if measured
};

struct Cluster {
  std::string name, description, origin;  // origin: the file
  int nodes = 1, ranks_per_node = 1;
  int nodes_per_switch = 0, uplinks = 0;  // 0: one switch for all; else links from each lower switch upwards
  std::map<std::string, Number> numbers;  // "network.bandwidth", ...: every key of number_keys()
  std::vector<StepTime> steps;
  std::map<std::string, Number> fitted;  // by the same keys; source: what it was fitted to

  double number(std::string_view key, Basis basis) const;
  double sum_bandwidth(Basis basis) const;  // rank.memory_bandwidth where rank.sum_bandwidth is not given
  int ranks() const { return nodes * ranks_per_node; }
};

struct NumberKey {
  const char* name;
  const char* meaning;
  double low, high;
  bool calibrated_only;  // what no data sheet has: counts as 0 by specification
};
const std::vector<NumberKey>& number_keys();

// Overrides are "section.key=value", as of a job file. Exit::usage on anything wrong.
Cluster parse_cluster(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});
Cluster parse_cluster_text(std::string_view text, const std::string& file_name,
                           const std::vector<std::string>& overrides = {});

}  // namespace convoy::simulate
