// What closed forms say of an experiment on a cluster before anything runs: with every allreduce, on every count of ranks,
// and when something is not as the cluster file has it.
#pragma once

#include <string>
#include <vector>

#include "simulate/job.h"

namespace convoy::simulate {

struct Forecast {
  std::string name;  // of the allreduce, or of what went wrong
  int ranks = 1, nodes = 1;
  int workers = 1;  // of the busiest rank, one after another
  Breakdown time;
  double hours = 0;  // of the whole job
  bool chosen = false;

  double node_hours() const { return hours * nodes; }
};

// Each allreduce that takes options.ranks.
std::vector<Forecast> by_algorithm(const Experiment& experiment, const Cluster& cluster, JobOptions options);

// The tree on 2^k ranks that divide the workers, from a node on, fewest first. Chosen: the most ranks whose node-hours are
// at most a quarter above the cheapest's.
std::vector<Forecast> by_ranks(const Experiment& experiment, const Cluster& cluster, JobOptions options);

// As it is, by the tree where it takes the ranks; one node slower by half; one connection at half its bandwidth; a thin
// network, four to one, or a full one where the cluster's is thin; one node fewer (no power of two: its workers go to the
// others, and no tree sums them).
std::vector<Forecast> by_mishap(const Experiment& experiment, const Cluster& cluster, const JobOptions& options);

}  // namespace convoy::simulate
