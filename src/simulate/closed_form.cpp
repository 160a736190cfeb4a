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
                      : inside_ring(g, bytes) + 2 * gather(g, bytes) +
                            (nodes > 1 ? ring_of_nodes(nodes, bytes, 1) : 0);
      case Algorithm::grid:
        return g == 1 ? ring_of_all(bytes)
                      : inside_ring(g, bytes) + (nodes > 1 ? ring_of_nodes(nodes, bytes / g, g) : 0);
    }
    return 0;
  }

 private:
  double inside(double bytes) const { return n_.message + n_.inside_latency + bytes / n_.inside_bandwidth; }
  // `narrow` messages share a link on the way. Through an upper switch it is twice as far.
  double outside(double bytes, double narrow, bool crosses) const {
    return n_.message + (crosses ? 2 : 1) * n_.latency + narrow * bytes / n_.bandwidth;
  }
  double addition(double bytes) const { return 3 * bytes / n_.sum_bandwidth; }

  // Ranks [first, last), `per_node` of them on each node, each send `bytes` to partner(rank), all at once: the slowest.
  template <class Partner>
  double exchange(int first, int last, int per_node, double bytes, Partner partner) const {
    const auto node = [&](int rank) { return static_cast<size_t>(rank / per_node); };
    const auto below = [&](size_t at) {
      return n_.nodes_per_switch > 0 ? at / static_cast<size_t>(n_.nodes_per_switch) : 0;
    };
    std::vector<double> leaving(node(last) + 1), arriving(node(last) + 1), upwards(below(node(last)) + 1);
    for (int r = first; r < last; ++r) {
      const size_t from = node(r), to = node(partner(r));
      if (from == to) continue;
      ++leaving[from], ++arriving[to];
      if (below(from) != below(to)) ++upwards[below(from)];
    }
    double slowest = 0;
    for (int r = first; r < last; ++r) {
      const size_t from = node(r), to = node(partner(r));
      const bool crosses = below(from) != below(to);
      const double shared = std::max(leaving[from], arriving[to]) / n_.slowest_link;
      slowest = std::max(
          slowest,
          from == to ? inside(bytes)
                     : outside(bytes, crosses ? std::max(shared, upwards[below(from)] / n_.uplinks) : shared,
                               crosses));
    }
    return slowest;
  }

  // Halving and doubling over `ranks`, of which `per_node` stand on each node.
  double halving(int ranks, double bytes, int per_node, bool far) const {
    const int inner = static_cast<int>(std::bit_floor(static_cast<unsigned>(ranks)));
    const int levels = std::countr_zero(static_cast<unsigned>(inner));
    double seconds = 0;
    for (int level = 0; level < levels; ++level) {
      const int distance = 1 << (far ? levels - 1 - level : level);
      const double half = bytes / std::pow(2.0, level + 1);
      seconds += 2 * exchange(0, inner, per_node, half, [&](int r) { return r ^ distance; }) + addition(half);
    }
    if (inner == ranks) return seconds;
    return seconds + 2 * exchange(inner, ranks, per_node, bytes, [&](int r) { return r - inner; }) +
           addition(bytes);
  }

  // The slowest hop sets the pace: a rank sends its next part when its last has arrived. A shift sends and receives one
  // after the other: two messages' own work a step.
  double ring(int ranks, double bytes, double shift) const {
    return 2 * (ranks - 1) * (shift + n_.message) + (ranks - 1) * addition(bytes / ranks);
  }
  double inside_ring(int ranks, double bytes) const { return ring(ranks, bytes, inside(bytes / ranks)); }
  double ring_of_nodes(int ranks, double bytes, int messages) const {
    const int nodes = (ranks_ + n_.ranks_per_node - 1) / n_.ranks_per_node;
    const bool crosses = n_.nodes_per_switch > 0 && nodes > n_.nodes_per_switch;
    return ring(ranks, bytes, outside(bytes / ranks, messages / n_.slowest_link, crosses));
  }
  double ring_of_all(double bytes) const {
    if (ranks_ <= n_.ranks_per_node) return inside_ring(ranks_, bytes);
    return std::max(ring_of_nodes(ranks_, bytes, 1),
                    n_.ranks_per_node > 1 ? inside_ring(ranks_, bytes) : 0.0);
  }
  double gather(int ranks, double bytes) const { return (ranks - 1) * inside(bytes / ranks); }

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
          .sum_bandwidth = cluster.sum_bandwidth(basis),
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
