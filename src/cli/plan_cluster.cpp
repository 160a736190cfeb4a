#include "cli/plan_cluster.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "simulate/advice.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;
using simulate::Forecast;

Json lines_of(const std::vector<Forecast>& forecasts, const char* key) {
  Json lines = Json::array();
  for (const Forecast& one : forecasts) {
    lines.push_back({{key, one.name},
                     {"ranks", one.ranks},
                     {"nodes", one.nodes},
                     {"workers_a_rank", one.workers},
                     {"iteration_s", one.time.iteration},
                     {"exposed_s", one.time.exposed},
                     {"imbalance_s", one.time.imbalance},
                     {"efficiency", one.time.efficiency},
                     {"hours", one.hours},
                     {"node_hours", one.node_hours()}});
    if (one.chosen) lines.back()["chosen"] = true;
  }
  return lines;
}

void print_line(const Json& one, const std::string& name, const std::string& more) {
  fmt::print("{:<29} {:>6} {:>6} {:>10.4f} s {:>10.3f} {:>10} {:>11.1f}{}\n", name, one["ranks"].get<int>(),
             one["nodes"].get<int>(), one["iteration_s"].get<double>(), one["efficiency"].get<double>(),
             human_seconds(one["hours"].get<double>() * 3600), one["node_hours"].get<double>(), more);
}

void print_head(const std::string& what) {
  fmt::print("{:<29} {:>6} {:>6} {:>12} {:>10} {:>10} {:>11}\n", what, "ranks", "nodes", "iteration",
             "efficiency", "time", "node-hours");
}

}  // namespace

Json cluster_forecast(const ClusterFlags& flags, const Experiment& experiment, int ranks) {
  const auto basis =
      flags.basis == "calibration" ? simulate::Basis::calibration : simulate::Basis::specification;
  const simulate::Cluster cluster = simulate::parse_cluster(flags.file, flags.with);
  return {{"name", cluster.name},
          {"basis", flags.basis},
          {"forecasts", lines_of(by_algorithm(experiment, cluster, basis, ranks), "algorithm")},
          {"layouts", lines_of(by_ranks(experiment, cluster, basis), "algorithm")},
          {"mishaps", lines_of(by_mishap(experiment, cluster, basis, ranks), "what")}};
}

void print_forecast(const Json& cluster) {
  fmt::print("\n{} by {}, closed form\n", cluster["name"].get<std::string>(),
             cluster["basis"].get<std::string>());
  print_head("allreduce");
  for (const Json& one : cluster["forecasts"]) print_line(one, one["algorithm"].get<std::string>(), "");
  if (!cluster["layouts"].empty()) print_head("\nthe same workers, by the tree");
  for (const Json& one : cluster["layouts"])
    print_line(one, fmt::format("{} a rank", one["workers_a_rank"].get<int>()),
               one.contains("chosen") ? "  <- chosen: node-hours at most 1.25 x the cheapest" : "");
  print_head("\nwhat would cost");
  const double usual = cluster["mishaps"].front()["iteration_s"].get<double>();
  for (const Json& one : cluster["mishaps"]) {
    const double change = 100 * (one["iteration_s"].get<double>() / usual - 1);
    print_line(one, one["what"].get<std::string>(),
               &one == &cluster["mishaps"].front() ? "" : fmt::format("  {:+.1f} %", change));
  }
}

}  // namespace convoy::cli
