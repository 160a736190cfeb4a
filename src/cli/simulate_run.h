// One simulation as `convoy simulate` is asked for it, and its result file (schema "convoy.simulation/1"), which `convoy
// compare` holds against another's or a run's result.json. Seconds are simulated, but for simulation.wall_s.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "simulate/job.h"

namespace convoy::cli {

struct SimulateFlags {
  std::string job, cluster, basis = "calibration", algorithm = "tree", trace, curve, out, sums;
  std::vector<std::string> overrides, with;
  int ranks = 0, iterations = 0, traced = 16, curve_from = 8, curve_to = 2048, choose = 0;
  uint64_t seed = 1;
  bool blocking = false, json = false;
  double slow_node = 1, slow_link = 1;
  std::vector<int64_t> sizes;

  simulate::Basis of() const { return simulate::basis_of(basis); }
};

struct Simulated {
  simulate::SimulatedJob job;
  simulate::Answer answer;
  simulate::Breakdown found, expected;  // expected: by closed form
  double error = 0;                     // standard error of found.iteration, which the stragglers' draw makes
};

// Ranks 0: as flags.ranks.
Simulated simulate_one(const SimulateFlags& flags, const Experiment& experiment,
                       const simulate::Cluster& cluster, int ranks = 0);
nlohmann::ordered_json result_json(const SimulateFlags& flags, const Experiment& experiment,
                                   const simulate::Cluster& cluster, const Simulated& one);

}  // namespace convoy::cli
