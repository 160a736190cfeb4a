// One rank's facts for result.json: host, device, memory and the median of its step times. Gathered as JSON text.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "port/backend.h"
#include "port/communicator.h"

namespace convoy {

// Seconds of one step on one rank. `communication` is the exposed part: waiting after the backward pass. `total` is the
// sum of the four behind it; `other` lies outside: between two steps, counts are summed and records kept.
struct StepTimes {
  double total = 0, data_wait = 0, compute = 0, communication = 0, optimizer = 0, other = 0;
};

struct RankReport {
  int rank = 0, first_worker = 0, workers = 0;
  std::string host;
  DeviceInfo device;
  size_t activation_bytes = 0, weight_bytes = 0, scratch_bytes = 0, peak_rss_bytes = 0;
  size_t arena_bytes = 0;        // weights, optimizer states, gradients
  size_t partial_sum_bytes = 0;  // the reducer's: this rank's earlier workers, and the tree's messages
  StepTimes median;              // over this process's steps, the first left out
};

nlohmann::ordered_json to_json(const RankReport& report);
std::vector<RankReport> gather_reports(const RankReport& mine, Communicator& comm);  // by rank, on every rank
// Whether every rank computes with the same backend, library, ISA and threads: then equal work gives equal bits.
bool same_fingerprint(const std::vector<RankReport>& reports);
StepTimes median_of(std::vector<StepTimes> times);
size_t peak_rss_bytes();

}  // namespace convoy
