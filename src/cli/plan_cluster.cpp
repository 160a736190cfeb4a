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

std::string meaning_of(const std::string& algorithm) {
  for (const simulate::NamedAlgorithm& one : simulate::algorithms())
    if (algorithm == one.name) return std::string("  ") + one.meaning;
  return "";
}

void print_head(const std::string& what) {
  fmt::print("{:<29} {:>6} {:>6} {:>12} {:>10} {:>10} {:>11}\n", what, "ranks", "nodes", "iteration",
             "efficiency", "time", "node-hours");
}

}  // namespace

Json cluster_forecast(const ClusterFlags& flags, const Experiment& experiment, const Sets& sets, int ranks) {
  const simulate::Cluster cluster = simulate::parse_cluster(flags.file, flags.with);
  const simulate::JobOptions options{.ranks = ranks,
                                     .basis = simulate::basis_of(flags.basis),
                                     .images = sets.train.samples,
                                     .classes = sets.train.classes};
  return {{"name", cluster.name},
          {"description", cluster.description},
          {"basis", flags.basis},
          {"compute_source", make_job(experiment, cluster, options).step_source},
          {"forecasts", lines_of(by_algorithm(experiment, cluster, options), "algorithm")},
          {"layouts", lines_of(by_ranks(experiment, cluster, options), "algorithm")},
          {"mishaps", lines_of(by_mishap(experiment, cluster, options), "what")}};
}

void print_forecast(const Json& cluster) {
  const auto text = [&](const char* key) { return cluster[key].get<std::string>(); };
  fmt::print("\n{} by {}, closed form\n  {}\n  compute: {}\n", text("name"), text("basis"),
             text("description"), text("compute_source"));
  print_head("allreduce");
  for (const Json& one : cluster["forecasts"]) {
    const std::string name = one["algorithm"].get<std::string>();
    print_line(one, name, meaning_of(name));
  }
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
