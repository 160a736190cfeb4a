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

  double seconds(Algorithm algorithm, double bytes) const {
    const int full = std::min(n_.ranks_per_node, ranks_);
    const int g = ranks_ % full == 0 ? full : 1;  // ranks that do not fill their nodes know of no nodes
    const int nodes = ranks_ / g;
    switch (algorithm) {
      case Algorithm::tree:
        return halving(ranks_, bytes, full, false);
      case Algorithm::far:
        return halving(ranks_, bytes, full, true);
      case Algorithm::ring:
        return ring_of_all(bytes);
      case Algorithm::leaders:
        return inside_ring(g, bytes) + 2 * gather(g, bytes) + halving(nodes, bytes, full / g, false);
      case Algorithm::leaders_ring:
        return g == 1 ? ring_of_all(bytes)
                      : inside_ring(g, bytes) + 2 * gather(g, bytes) + ring_of_nodes(nodes, bytes, 1);
      case Algorithm::grid:
        return g == 1 ? ring_of_all(bytes) : inside_ring(g, bytes) + ring_of_nodes(nodes, bytes / g, g);
    }
    return 0;
  }

 private:
  // To a node `distance` away, 0: in the node. Through an upper switch it is twice as far. `messages` of every node go
  // over its connection at once, and those of the nodes below a switch, `nodes` if fewer send, over its links upwards.
  double message(double bytes, int distance, int messages = 1, int nodes = 1) const {
    if (distance == 0) return n_.message + n_.inside_latency + bytes / n_.inside_bandwidth;
    const double below = crosses(distance) ? std::min(nodes, n_.nodes_per_switch) : 0;
    const double narrow = std::max({1.0, crosses(distance) ? below / n_.uplinks : 1.0, 1 / n_.slowest_link});
    return n_.message + (crosses(distance) ? 2 : 1) * n_.latency + narrow * messages * bytes / n_.bandwidth;
  }
  double addition(double bytes) const { return bytes / n_.memory_bandwidth; }
  bool crosses(int distance) const { return n_.nodes_per_switch > 0 && distance >= n_.nodes_per_switch; }

  // Halving and doubling over `ranks`, of which `per_node` stand on each node.
  double halving(int ranks, double bytes, int per_node, bool far) const {
    const int inner = static_cast<int>(std::bit_floor(static_cast<unsigned>(ranks))), extra = ranks - inner;
    const int levels = std::countr_zero(static_cast<unsigned>(inner));
    double seconds = 0;
    for (int level = 0; level < levels; ++level) {
      const int distance = (1 << (far ? levels - 1 - level : level)) / per_node;
      const double half = bytes / std::pow(2.0, level + 1);
      seconds += 2 * message(half, distance, std::min(per_node, inner), inner / per_node) + addition(half);
    }
    if (extra == 0) return seconds;
    const int nodes = (extra + per_node - 1) / per_node;
    return seconds + 2 * message(bytes, inner / per_node, std::min(per_node, extra), nodes) + addition(bytes);
  }

  // The slowest hop sets the pace: a rank sends its next part when its last has arrived. A shift sends and receives one
  // after the other: two messages' own work a step.
  double ring(int ranks, double bytes, int distance, int messages) const {
    const double part = bytes / ranks;
    return 2 * (ranks - 1) * (message(part, distance, messages) + n_.message) + (ranks - 1) * addition(part);
  }
  double inside_ring(int ranks, double bytes) const { return ring(ranks, bytes, 0, 1); }
  double ring_of_nodes(int ranks, double bytes, int messages) const {
    const int nodes = (ranks_ + n_.ranks_per_node - 1) / n_.ranks_per_node;
    return ring(ranks, bytes, nodes == 1 ? 0 : crosses(nodes - 1) ? n_.nodes_per_switch : 1, messages);
  }
  double ring_of_all(double bytes) const {
    return std::max(ring_of_nodes(ranks_, bytes, 1),
                    n_.ranks_per_node > 1 ? inside_ring(ranks_, bytes) : 0.0);
  }
  double gather(int ranks, double bytes) const { return (ranks - 1) * message(bytes / ranks, 0, 1); }

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
          .message = cluster.number("rank.message", basis),
          .nodes_per_switch = cluster.nodes_per_switch,
          .uplinks = cluster.uplinks};
}

Algorithm usable(Algorithm algorithm, const AlphaBeta& network, int ranks, double bytes) {
  if (algorithm != Algorithm::tree || std::has_single_bit(static_cast<unsigned>(ranks))) return algorithm;
  const Costs costs(network, ranks);
  return costs.seconds(Algorithm::leaders, bytes) < costs.seconds(Algorithm::grid, bytes) ? Algorithm::leaders
                                                                                          : Algorithm::grid;
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
