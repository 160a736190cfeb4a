// convoy simulate JOB --cluster FILE: the program's own reducer and schedule on a machine that is not here.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "simulate/job.h"
#include "simulate/run.h"
#include "train/plot.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;
using namespace simulate;

struct Flags {
  std::string job, cluster, basis = "calibration", algorithm = "tree", trace, curve, out;
  std::vector<std::string> overrides, with;
  int ranks = 0, iterations = 0, traced = 16, curve_from = 8, curve_to = 2048;
  uint64_t seed = 1;
  bool blocking = false, json = false;
  double slow_node = 1, slow_link = 1;
  std::string sums;
  std::vector<int64_t> sizes;
};

Basis basis_of(const Flags& flags) {
  return flags.basis == "specification" ? Basis::specification : Basis::calibration;
}

// Few ranks draw few stragglers: more iterations then, so that their mean means something.
int iterations_of(const Flags& flags, int ranks) {
  return flags.iterations > 0 ? flags.iterations : std::clamp(512 / ranks, 1, 64);
}

struct Outcome {
  SimulatedJob job;
  Answer answer;
  Breakdown found, expected;
};

Outcome simulate_one(const Flags& flags, const Experiment& experiment, const Cluster& cluster, int ranks) {
  const Basis basis = basis_of(flags);
  Outcome o{
      .job = make_job(experiment, cluster, {ranks, basis, algorithm_of(flags.algorithm), !flags.blocking}),
      .answer = {},
      .found = {},
      .expected = {}};
  Scenario& s = o.job.scenario;
  s.seed = flags.seed;
  s.iterations = iterations_of(flags, s.ranks);
  s.traced_ranks = flags.trace.empty() ? 0 : flags.traced;
  if (flags.slow_node != 1) s.slow_node = o.job.nodes / 2, s.slow_factor = flags.slow_node;
  if (flags.slow_link != 1) s.slow_link = o.job.nodes / 2, s.link_factor = flags.slow_link;
  s.sums_file = flags.sums;
  s.sizes = flags.sizes;
  o.answer = run(s, cluster, basis);
  if (!s.sizes.empty()) return o;
  o.found = measured(o.job, o.answer);
  o.expected = forecast(o.job, alpha_beta(cluster, basis));
  return o;
}

Json result_json(const Flags& flags, const Experiment& experiment, const Cluster& cluster, const Outcome& o) {
  const Breakdown& b = o.found;
  const double hours = b.iteration * static_cast<double>(o.job.steps) / 3600;
  Json fitted = Json::object();
  for (const auto& [key, number] : cluster.fitted)
    fitted[key] = {{"value", number.value}, {"to", number.source}};
  return {{"schema", "convoy.simulation/1"},
          {"experiment", experiment.name},
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
          {"decomposition_s",
           {{"compute", b.compute},
            {"communication_exposed", b.exposed},
            {"imbalance", b.imbalance},
            {"overhead", b.overhead}}},
          {"efficiency", b.efficiency},
          {"images_per_s", static_cast<double>(o.job.images) / b.iteration},
          {"closed_form_iteration_s", o.expected.iteration},
          {"steps", o.job.steps},
          {"hours", hours},
          {"node_hours", hours * o.job.nodes},
          {"simulation",
           {{"iterations", o.job.scenario.iterations},
            {"seed", flags.seed},
            {"wall_s", o.answer.wall},
            {"peak_bytes", o.answer.peak_bytes}}}};
}

void print_outcome(const Experiment& experiment, const Cluster& cluster, const Outcome& o) {
  const Breakdown& b = o.found;
  const double seconds = b.iteration * static_cast<double>(o.job.steps);
  const auto line = [&](const char* what, double value) {
    fmt::print("  {:<24} {:9.4f} s  {:5.1f} %\n", what, value, 100 * value / b.iteration);
  };
  fmt::print("{} on {}: {} ranks on {} nodes, {} images a step, {} of gradients by {}\n", experiment.name,
             cluster.name, o.job.scenario.ranks, o.job.nodes, o.job.images,
             human_bytes(static_cast<uint64_t>(o.job.bytes)), o.job.scenario.algorithm);
  line("an iteration", b.iteration);
  line("compute", b.compute);
  line("exposed communication", b.exposed);
  line("imbalance", b.imbalance);
  line("overhead (update)", b.overhead);
  fmt::print("  efficiency {:.3f} against one rank, {:.0f} images/s; {} steps in {}, {:.0f} node-hours\n",
             b.efficiency, static_cast<double>(o.job.images) / b.iteration, o.job.steps,
             human_seconds(seconds), seconds / 3600 * o.job.nodes);
  fmt::print("  compute: {}\n  closed form: {:.4f} s an iteration\n", o.job.step_source,
             o.expected.iteration);
  fmt::print("  simulated {} iterations in {} with {}\n", o.job.scenario.iterations,
             human_seconds(o.answer.wall), human_bytes(static_cast<uint64_t>(o.answer.peak_bytes)));
}

// Every count of ranks with one worker each: the minibatch grows along, as in the papers' figures.
int draw_curve(const Flags& flags, const Cluster& cluster) {
  Plot plot{.title = fmt::format("Efficiency of one iteration on {}", cluster.name),
            .x_label = "ranks: 2 to the power of",
            .left = {.label = "simulated (solid), closed form (dashed): % of linear",
                     .unit = " %",
                     .lines = {},
                     .high = 100},
            .right = {}};
  PlotLine found{.points = {}, .dots = true}, expected{.points = {}, .dashed = true};
  Json points = Json::array();
  for (int ranks = flags.curve_from; ranks <= std::min(flags.curve_to, cluster.ranks()); ranks *= 2) {
    std::vector<std::string> overrides = flags.overrides;
    overrides.push_back(fmt::format("minibatch.workers={}", ranks));
    if (parse_experiment(flags.job, flags.overrides).schedule.per_images > 0)
      overrides.emplace_back("schedule.allow_large_rate=true");  // only the time is asked for
    const Experiment experiment = parse_experiment(flags.job, overrides);
    const Outcome o = simulate_one(flags, experiment, cluster, ranks);
    found.points.push_back({std::log2(ranks), 100 * o.found.efficiency});
    expected.points.push_back({std::log2(ranks), 100 * o.expected.efficiency});
    points.push_back(result_json(flags, experiment, cluster, o));
    if (!flags.json)
      fmt::print("{:>6} ranks: {:.4f} s, efficiency {:.3f} (closed form {:.3f})\n", ranks, o.found.iteration,
                 o.found.efficiency, o.expected.efficiency);
  }
  plot.left.lines = {found, expected};
  replace_file(flags.curve, plot.svg());
  if (!flags.out.empty()) replace_file(flags.out, points.dump(2) + "\n");
  if (flags.json)
    print_json(points);
  else
    fmt::print("picture     {}\n", flags.curve);
  return 0;
}

int simulate_job(const Flags& flags) {
  const Cluster cluster = parse_cluster(flags.cluster, flags.with);
  if (!flags.curve.empty()) return draw_curve(flags, cluster);
  const Experiment experiment = parse_experiment(flags.job, flags.overrides);
  const Outcome o = simulate_one(flags, experiment, cluster, flags.ranks);
  if (!flags.sizes.empty()) {
    const AlphaBeta network = alpha_beta(cluster, basis_of(flags));
    Json lines = Json::array();
    for (size_t i = 0; i < flags.sizes.size(); ++i)
      lines.push_back({{"bytes", flags.sizes[i]},
                       {"simulated_s", o.answer.size_seconds[i]},
                       {"closed_form_s", allreduce_seconds(o.job.algorithm, network, o.job.scenario.ranks,
                                                           static_cast<double>(flags.sizes[i]))}});
    print_json(lines);
    return 0;
  }
  if (!flags.trace.empty()) replace_file(flags.trace, trace_json(o.answer));
  Json result = result_json(flags, experiment, cluster, o);
  if (!o.answer.digest.empty()) result["digest_of_sum"] = o.answer.digest;
  if (!flags.out.empty()) replace_file(flags.out, result.dump(2) + "\n");
  if (flags.json)
    print_json(result);
  else
    print_outcome(experiment, cluster, o);
  return 0;
}

}  // namespace

void add_simulate(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "simulate", "simulate a job's iterations on a cluster, with this program's own code");
  set_examples(
      *command,
      {"convoy simulate jobs/goyal-1hour.toml --cluster jobs/launch/clusters/goyal-p100.toml",
       "convoy simulate jobs/akiba-15min.toml --cluster jobs/launch/clusters/mn1.toml --curve scale.svg"});
  auto flags = std::make_shared<Flags>();
  std::vector<std::string> names;
  for (const NamedAlgorithm& one : algorithms()) names.emplace_back(one.name);
  const auto repeated = [&](const char* name, std::vector<std::string>& to, const char* what) {
    command->add_option(name, to, what)->type_name("KEY=VALUE")->allow_extra_args(false);
  };
  command->add_option("job", flags->job, "a job file, e.g. jobs/goyal-1hour.toml")
      ->required()
      ->type_name("JOB");
  command->add_option("--cluster", flags->cluster, "a cluster file, e.g. jobs/launch/clusters/mn1.toml")
      ->required()
      ->type_name("FILE");
  command->add_option("--ranks", flags->ranks, "ranks (default: one a worker, or as many as the cluster has)")
      ->check(CLI::Range(1, 1 << 16));
  command->add_option("--basis", flags->basis, "data sheets alone, or with what was fitted and measured")
      ->capture_default_str()
      ->check(one_of({"specification", "calibration"}));
  command->add_option("--algorithm", flags->algorithm, "of the allreduce")
      ->capture_default_str()
      ->check(one_of(names));
  command->add_flag("--blocking", flags->blocking,
                    "no overlap: all buckets are summed after the backward pass");
  command->add_option("--iterations", flags->iterations, "to simulate (default: fewer the more ranks)")
      ->check(CLI::Range(1, 1000));
  command->add_option("--seed", flags->seed, "of the stragglers")->capture_default_str();
  command->add_option("--slow-node", flags->slow_node, "one node computes so many times as long")
      ->check(CLI::Range(1.0, 100.0));
  command
      ->add_option("--slow-link", flags->slow_link, "one node's connection has this share of its bandwidth")
      ->check(CLI::Range(0.01, 1.0));
  repeated("--set", flags->overrides, "of the job: section.key=value, may be repeated");
  repeated("--with", flags->with, "of the cluster: section.key=number, may be repeated");
  command->add_option("--trace", flags->trace, "write the timeline for ui.perfetto.dev")->type_name("FILE");
  command->add_option("--trace-nodes", flags->traced, "nodes whose first rank is traced")
      ->capture_default_str();
  command
      ->add_option("--curve", flags->curve,
                   "efficiency from 8 to 2,048 ranks, one worker each, into this SVG file")
      ->type_name("FILE");
  command->add_option("--curve-from", flags->curve_from, "ranks at its left")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 16));
  command->add_option("--curve-to", flags->curve_to, "ranks at its right")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 16));
  command->add_option("--sizes", flags->sizes, "time single allreduces of so many bytes instead")
      ->type_name("BYTES");
  command
      ->add_option("--sums", flags->sums, "with real gradients, and write rank 0's sum as f32 into this file")
      ->type_name("FILE");
  command->add_option("--out", flags->out, "also write the JSON into this file")->type_name("FILE");
  add_json(*command, flags->json);
  command->callback([&context, flags] { context.chosen = [flags] { return simulate_job(*flags); }; });
}

}  // namespace convoy::cli
