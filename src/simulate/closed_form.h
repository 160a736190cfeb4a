// What an allreduce costs by alpha-beta arithmetic, without simulating: a message of n bytes takes latency + n/bandwidth,
// ranks of a node that send at the same time share its connection, nodes below a switch that send at the same time share
// its links upwards, sums are added at the memory's bandwidth (R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of
// collective communication operations in MPICH", IJHPCA 2005, for two levels). Halving and doubling over a count that is
// no power of two first sends all of the ranks above it to one below each, and the sum back. Agrees with the simulation
// within 1 % for 2^k ranks a node and nodes a switch, and within 10 % for others, where each step is taken to wait for its
// slowest message (tests/simulate). Seconds and bytes.
#pragma once

#include <vector>

#include "simulate/algorithm.h"
#include "simulate/cluster.h"

namespace convoy::simulate {

struct AlphaBeta {
  int ranks_per_node = 1;
  double latency = 0, bandwidth = 1e30;                // between nodes
  double inside_latency = 0, inside_bandwidth = 1e30;  // in a node
  double sum_bandwidth = 1e30;                         // bytes that additions read and write
  double message = 0;                                  // a rank's own work for each message
  int nodes_per_switch = 0, uplinks = 0;               // 0: one switch for all
  double slowest_link = 1;  // one node's share of `bandwidth`: the others wait for it
};
AlphaBeta alpha_beta(const Cluster& cluster, Basis basis);

double allreduce_seconds(Algorithm algorithm, const AlphaBeta& network, int ranks, double bytes);
// `algorithm` where it fits the ranks; for the tree, which wants 2^k, the quicker of leaders and grid.
Algorithm usable(Algorithm algorithm, const AlphaBeta& network, int ranks, double bytes);

// When the last of consecutive sums ends: bucket b is ready at ready[b], and takes seconds[b] once the one before is done.
double last_end(const std::vector<double>& ready, const std::vector<double>& seconds);

// The expected largest of n draws exp(sigma N(0, 1)): Blom's approximation of the largest normal.
double expected_slowest(double sigma, int draws);

}  // namespace convoy::simulate
