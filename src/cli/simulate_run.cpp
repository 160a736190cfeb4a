#include "cli/simulate_run.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "simulate/run.h"
#include "train/result.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;
using namespace simulate;

// More ranks than the simulator has stacks for.
constexpr int most_ranks = 16384;

// Few ranks draw few stragglers: more iterations then, so that their mean means something.
int iterations_of(const SimulateFlags& flags, const Scenario& s) {
  return flags.iterations > 0 ? flags.iterations : std::clamp(512 / s.ranks, s.spread > 0 ? 4 : 1, 64);
}

double standard_error(const std::vector<IterationTimes>& iterations) {
  const auto count = static_cast<double>(iterations.size());
  double sum = 0, squares = 0;
  for (const IterationTimes& one : iterations) sum += one.end - one.begin;
  for (const IterationTimes& one : iterations) squares += std::pow(one.end - one.begin - sum / count, 2);
  return count < 2 ? 0 : std::sqrt(squares / (count - 1) / count);
}

}  // namespace

Simulated simulate_one(const SimulateFlags& flags, const Experiment& experiment, const Cluster& cluster,
                       int ranks) {
  const Basis basis = flags.of();
  Simulated o{.job = make_job(
                  experiment, cluster,
                  {ranks > 0 ? ranks : flags.ranks, basis, algorithm_of(flags.algorithm), !flags.blocking}),
              .answer = {},
              .found = {},
              .expected = {}};
  Scenario& s = o.job.scenario;
  require(
      s.ranks <= most_ranks, Exit::usage,
      "{} ranks are more than can be simulated here ({}): `convoy plan --cluster` has closed forms for any number",
      s.ranks, most_ranks);
  s.seed = flags.seed;
  s.iterations = iterations_of(flags, s);
  s.traced_ranks = flags.trace.empty() ? 0 : flags.traced;
  if (flags.slow_node != 1) s.slow_node = o.job.nodes / 2, s.slow_factor = flags.slow_node;
  if (flags.slow_link != 1) s.slow_link = o.job.nodes / 2, s.link_factor = flags.slow_link;
  s.sums_file = flags.sums;
  s.sizes = flags.sizes;
  o.answer = run(s, cluster, basis);
  if (!s.sizes.empty()) return o;
  o.found = measured(o.job, o.answer);
  o.error = standard_error(o.answer.iterations);
  o.expected = forecast(o.job, alpha_beta(cluster, basis));
  return o;
}

Json result_json(const SimulateFlags& flags, const Experiment& experiment, const Cluster& cluster,
                 const Simulated& o) {
  const Breakdown& b = o.found;
  const double hours = b.iteration * static_cast<double>(o.job.steps) / 3600;
  Json fitted = Json::object(), samples = Json::array();
  for (const auto& [key, number] : cluster.fitted)
    fitted[key] = {{"value", number.value}, {"to", number.source}};
  for (const IterationTimes& one : o.answer.iterations) samples.push_back(one.end - one.begin);
  return {{"schema", "convoy.simulation/1"},
          {"experiment",
           {{"name", experiment.name},
            {"hash", hash(experiment, {}, {})},  // of no data set
            {"resolved", resolved_json(experiment)}}},
          {"cluster",
           {{"name", cluster.name}, {"file", cluster.origin}, {"basis", flags.basis}, {"fitted", fitted}}},
          {"ranks", o.job.scenario.ranks},
          {"nodes", o.job.nodes},
          {"workers", o.job.workers},
          {"images_per_step", o.job.images},
          {"allreduce",
           {{"algorithm", o.job.scenario.algorithm},
            {"wire", experiment.allreduce.wire},
            {"bytes_per_step", o.job.bytes},
            {"buckets", o.job.scenario.buckets.size()},
            {"overlap", !flags.blocking}}},
          {"compute_source", o.job.step_source},
          {"iteration_s", b.iteration},
          {"iteration_standard_error_s", o.error},
          {"decomposition_s",
           {{"data_wait", b.data},
            {"compute", b.compute},
            {"communication_exposed", b.exposed},
            {"imbalance", b.imbalance},
            {"overhead", b.overhead}}},
          {"efficiency", b.efficiency},
          {"images_per_s", static_cast<double>(o.job.images) / b.iteration},
          {"closed_form_iteration_s", o.expected.iteration},
          {"steps", {{"planned", o.job.steps}, {"samples_s", samples}}},
          {"hours", hours},
          {"node_hours", hours * o.job.nodes},
          {"simulation",
           {{"iterations", o.job.scenario.iterations},
            {"seed", flags.seed},
            {"wall_s", o.answer.wall},
            {"peak_bytes", o.answer.peak_bytes}}}};
}

}  // namespace convoy::cli
