#include "simulate/advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace convoy::simulate {
namespace {

Forecast forecast_of(const std::string& name, const SimulatedJob& job, const AlphaBeta& network) {
  Forecast one{.name = name,
               .ranks = job.scenario.ranks,
               .nodes = job.nodes,
               .workers = job.local,
               .time = forecast(job, network)};
  one.hours = one.time.iteration * static_cast<double>(job.steps) / 3600;
  return one;
}

}  // namespace

std::vector<Forecast> by_algorithm(const Experiment& experiment, const Cluster& cluster, JobOptions options) {
  std::vector<Forecast> all;
  for (const NamedAlgorithm& one : algorithms()) {
    options.algorithm = one.algorithm;
    const SimulatedJob job = make_job(experiment, cluster, options);
    if (job.algorithm == one.algorithm)
      all.push_back(forecast_of(one.name, job, alpha_beta(cluster, options.basis)));
  }
  return all;
}

std::vector<Forecast> by_ranks(const Experiment& experiment, const Cluster& cluster, JobOptions options) {
  std::vector<Forecast> all;
  const int workers = runs_of(experiment).workers, one_node = std::min(cluster.ranks_per_node, workers);
  for (int ranks = 1; ranks <= std::min(workers, cluster.ranks()); ranks *= 2) {
    options.ranks = ranks;
    if (workers % ranks == 0 && 2 * ranks > one_node)
      all.push_back(
          forecast_of("tree", make_job(experiment, cluster, options), alpha_beta(cluster, options.basis)));
  }
  if (all.empty()) return all;
  const double cheapest = std::ranges::min_element(all, {}, &Forecast::node_hours)->node_hours();
  const auto best = std::ranges::find_if(
      all.rbegin(), all.rend(), [&](const Forecast& one) { return one.node_hours() <= 1.25 * cheapest; });
  best->chosen = true;
  return all;
}

std::vector<Forecast> by_mishap(const Experiment& experiment, const Cluster& cluster,
                                const JobOptions& options) {
  const AlphaBeta network = alpha_beta(cluster, options.basis);
  const SimulatedJob usual = make_job(experiment, cluster, options);
  std::vector<Forecast> all{forecast_of("as it is", usual, network)};
  SimulatedJob job = usual;
  job.scenario.slow_node = 0, job.scenario.slow_factor = 1.5;
  all.push_back(forecast_of("one node slower by half", job, network));
  if (usual.nodes == 1) return all;
  job = usual;
  job.scenario.slow_link = 0, job.scenario.link_factor = 0.5;
  all.push_back(forecast_of("one node's connection at half", job, network));
  if (usual.nodes >= 8) {
    AlphaBeta other = network;
    if (network.nodes_per_switch == 0) {
      other.nodes_per_switch =
          static_cast<int>(std::bit_floor(std::min(16u, static_cast<unsigned>(usual.nodes) / 2)));
      other.uplinks = other.nodes_per_switch / 4;
      all.push_back(forecast_of(fmt::format("{} nodes a switch, {} link{} up", other.nodes_per_switch,
                                            other.uplinks, other.uplinks == 1 ? "" : "s"),
                                usual, other));
    } else {
      other.uplinks = other.nodes_per_switch;
      all.push_back(forecast_of(
          fmt::format("{} links up for {} nodes", other.uplinks, other.nodes_per_switch), usual, other));
    }
  }
  JobOptions fewer = options;
  fewer.ranks = (usual.nodes - 1) * usual.scenario.ranks_per_node;
  const SimulatedJob less = make_job(experiment, cluster, fewer);
  all.push_back(forecast_of(fmt::format("one node fewer, by {}", name_of(less.algorithm)), less, network));
  return all;
}

}  // namespace convoy::simulate
