#include "simulate/closed_form.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"

namespace convoy::simulate {
namespace {

class Costs {
 public:
  Costs(const AlphaBeta& network, int ranks) : n_(network), ranks_(ranks) {}

  double message(double bytes, bool outside, double sharing) const {
    return n_.message + (outside ? n_.latency + sharing * bytes / n_.bandwidth
                                 : n_.inside_latency + bytes / n_.inside_bandwidth);
  }
  double addition(double bytes) const { return bytes / n_.memory_bandwidth; }

  // Halving and doubling over `ranks` that stand `stride` ranks apart; so many of them share a node's connection.
  double halving(int ranks, double bytes, int per_node, bool far) const {
    const int levels = std::countr_zero(static_cast<unsigned>(ranks));
    double seconds = 0;
    for (int level = 0; level < levels; ++level) {
      const int distance = 1 << (far ? levels - 1 - level : level);
      const double half = bytes / std::pow(2.0, level + 1);
      const bool outside = distance >= per_node;
      seconds += 2 * message(half, outside, std::min(per_node, ranks)) + addition(half);
    }
    return seconds;
  }

  // A shift sends and receives one after the other: two messages' own work a step.
  double ring(int ranks, double bytes, bool outside, double sharing) const {
    const double part = bytes / ranks;
    return 2 * (ranks - 1) * (message(part, outside, sharing) + n_.message) + (ranks - 1) * addition(part);
  }
  double gather(int ranks, double bytes) const { return (ranks - 1) * message(bytes / ranks, false, 1); }

  double seconds(Algorithm algorithm, double bytes) const {
    const int g = std::min(n_.ranks_per_node, ranks_), nodes = ranks_ / g;
    switch (algorithm) {
      case Algorithm::tree:
        return halving(ranks_, bytes, g, false);
      case Algorithm::far:
        return halving(ranks_, bytes, g, true);
      case Algorithm::ring:
        // The slowest hop sets the pace: a rank sends its next part when its last has arrived.
        return std::max(ring(ranks_, bytes, nodes > 1, 1), g > 1 ? ring(ranks_, bytes, false, 1) : 0.0);
      case Algorithm::leaders:
        return ring(g, bytes, false, 1) + 2 * gather(g, bytes) + halving(nodes, bytes, 1, false);
      case Algorithm::leaders_ring:
        return ring(g, bytes, false, 1) + 2 * gather(g, bytes) + ring(nodes, bytes, true, 1);
      case Algorithm::grid:
        return ring(g, bytes, false, 1) + ring(nodes, bytes / g, true, g);
    }
    return 0;
  }

 private:
  const AlphaBeta& n_;
  int ranks_;
};

}  // namespace

AlphaBeta alpha_beta(const Cluster& cluster, Basis basis) {
  return {.ranks_per_node = cluster.ranks_per_node,
          .latency = cluster.number("network.latency", basis),
          .bandwidth = cluster.number("network.bandwidth", basis),
          .inside_latency = cluster.number("inside.latency", basis),
          .inside_bandwidth = cluster.number("inside.bandwidth", basis),
          .memory_bandwidth = cluster.number("rank.memory_bandwidth", basis),
          .message = cluster.number("rank.message", basis)};
}

Algorithm usable(Algorithm algorithm, int ranks) {
  if (algorithm == Algorithm::tree && !std::has_single_bit(static_cast<unsigned>(ranks)))
    return Algorithm::grid;
  return algorithm;
}

double allreduce_seconds(Algorithm algorithm, const AlphaBeta& network, int ranks, double bytes) {
  return ranks == 1 ? 0 : Costs(network, ranks).seconds(algorithm, bytes);
}

double last_end(const std::vector<double>& ready, const std::vector<double>& seconds) {
  ensure(ready.size() == seconds.size());
  double end = 0;
  for (size_t b = 0; b < ready.size(); ++b) end = std::max(end, ready[b]) + seconds[b];
  return end;
}

double expected_slowest(double sigma, int draws) {
  if (sigma == 0 || draws < 2) return 1;
  // The quantile at (n - 3/8)/(n + 1/4), by bisection of the normal distribution.
  const double share = (draws - 0.375) / (draws + 0.25);
  double low = 0, high = 10;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < share ? low : high) = middle;
  }
  return std::exp(sigma * low);
}

}  // namespace convoy::simulate
