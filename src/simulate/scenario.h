// What one simulation computes, as it goes to the simulating program and as its answer comes back: JSON both ways, since
// the two are linked with different MPI libraries. Seconds and bytes; times of the answer are simulated.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace convoy::simulate {

struct ReadyBucket {
  int64_t begin = 0, end = 0;  // elements of the flat gradients
  double ready = 0;            // since the start of the step, on a rank that is neither fast nor slow
};

struct Scenario {
  int ranks = 1, ranks_per_node = 1;
  std::string algorithm = "tree", wire = "f32";
  double wire_scale = 1;
  std::vector<ReadyBucket> buckets;
  double compute = 0;           // forward and backward
  double after = 0;             // update and what else follows the sum
  double sum_bandwidth = 1e30;  // of adding, packing and unpacking: bytes read and written
  double message = 0;
  bool packed =
      false;  // the gradients were packed into half as many floats, which costs what the tree's own packing does
  double spread = 0;  // sigma of the logarithm of a rank's compute time, drawn anew every iteration
  uint64_t seed = 1;
  int iterations = 1;
  int slow_node = -1;  // its compute takes slow_factor times as long
  double slow_factor = 1;
  int slow_link = -1;  // a node whose connection has link_factor of its bandwidth
  double link_factor = 1;
  int traced_ranks = 0;  // the first so many nodes' first ranks leave spans
  std::string
      sums_file;  // real payloads, and the sum as rank 0 has it written here as f32; every rank's is compared
  std::vector<int64_t>
      sizes;  // in place of iterations: bytes of single allreduces, one after another, all ranks ready
};

struct SimulatedSpan {
  int rank = 0;
  std::string lane, name;
  int number = -1;
  double begin = 0, end = 0;
};

struct IterationTimes {
  double begin = 0, end = 0;  // of the last rank to start and to end
  double compute_max = 0;     // of the slowest rank
};

struct Answer {
  std::vector<IterationTimes> iterations;
  std::vector<double> size_seconds;  // by Scenario::sizes
  std::vector<SimulatedSpan> spans;
  std::string digest;               // of the sum, with sums_file: the same on every rank
  double wall = 0, peak_bytes = 0;  // of the simulation itself
};

nlohmann::ordered_json to_json(const Scenario& scenario);
Scenario scenario_of(const nlohmann::ordered_json& json);
nlohmann::ordered_json to_json(const Answer& answer);
Answer answer_of(const nlohmann::ordered_json& json);

// Element i of rank r's gradient under sums_file: exact in f32, with exponents over 20 binary places, so that the order
// of the additions shows.
float planted_gradient(int rank, int64_t i);

}  // namespace convoy::simulate
