// convoy simulate JOB --cluster FILE: the program's own reducer and schedule on a machine that is not here.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/simulate_choose.h"
#include "cli/simulate_run.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "simulate/job.h"
#include "simulate/run.h"
#include "train/plot.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;
using namespace simulate;

void print_outcome(const Experiment& experiment, const Cluster& cluster, const Simulated& o) {
  const Breakdown& b = o.found;
  const double seconds = b.iteration * static_cast<double>(o.job.steps);
  const auto line = [&](const char* what, double value) {
    fmt::print("  {:<24} {:9.4f} s  {:5.1f} %\n", what, value, 100 * value / b.iteration);
  };
  fmt::print("{} on {}: {} ranks on {} nodes, {} images a step, {} of gradients by {}\n", experiment.name,
             cluster.name, o.job.scenario.ranks, o.job.nodes, o.job.images,
             human_bytes(static_cast<uint64_t>(o.job.bytes)), o.job.scenario.algorithm);
  line("an iteration", b.iteration);
  if (o.error > 0)
    fmt::print("    of {} iterations, each with its own stragglers, +- {:.4f} s\n", o.job.scenario.iterations,
               o.error);
  if (b.data > 0) line("loading", b.data);
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
int draw_curve(const SimulateFlags& flags, const Cluster& cluster) {
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
    const Simulated o = simulate_one(flags, experiment, cluster, ranks);
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

int simulate_job(const SimulateFlags& flags) {
  require(flags.curve_from <= flags.curve_to, Exit::usage, "--curve-from {} is beyond --curve-to {}",
          flags.curve_from, flags.curve_to);
  const Cluster cluster = parse_cluster(flags.cluster, flags.with);
  if (!flags.curve.empty()) return draw_curve(flags, cluster);
  if (flags.choose > 0) return choose_schedule(flags, cluster);
  const Experiment experiment = parse_experiment(flags.job, flags.overrides);
  const Simulated o = simulate_one(flags, experiment, cluster);
  if (!flags.sizes.empty()) {
    const AlphaBeta network = alpha_beta(cluster, flags.of());
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
  auto flags = std::make_shared<SimulateFlags>();
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
      ->check(CLI::Range(1, 1 << 14));
  command->add_option("--basis", flags->basis, "data sheets alone, or with what was fitted and measured")
      ->capture_default_str()
      ->check(one_of({"specification", "calibration"}));
  command->add_option("--algorithm", flags->algorithm, "of the allreduce")
      ->capture_default_str()
      ->check(one_of(names));
  command->add_flag("--blocking", flags->blocking,
                    "no overlap: all buckets are summed after the backward pass");
  auto* choose =
      command
          ->add_option("--choose", flags->choose,
                       "weigh every allreduce, bucket size and wire, simulate the best so many, and choose")
          ->type_name("N")
          ->check(CLI::Range(1, 100));
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
  auto* trace = command->add_option("--trace", flags->trace, "write the timeline for ui.perfetto.dev")
                    ->type_name("FILE");
  command->add_option("--trace-nodes", flags->traced, "nodes whose first rank is traced")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 14));
  auto* curve = command
                    ->add_option("--curve", flags->curve,
                                 "efficiency from 8 to 2,048 ranks, one worker each, into this SVG file")
                    ->type_name("FILE");
  command->add_option("--curve-from", flags->curve_from, "ranks at its left")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 14));
  command->add_option("--curve-to", flags->curve_to, "ranks at its right")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 14));
  auto* sizes =
      command->add_option("--sizes", flags->sizes, "time single allreduces of so many bytes instead")
          ->type_name("BYTES")
          ->check(CLI::Range(int64_t{4}, int64_t{1} << 34));
  auto* sums = command
                   ->add_option("--sums", flags->sums,
                                "with real gradients, and write rank 0's sum as f32 into this file")
                   ->type_name("FILE");
  command->add_option("--out", flags->out, "also write the JSON into this file")->type_name("FILE");
  curve->excludes(choose, sizes, trace, sums);
  choose->excludes(sizes, trace, sums);
  sizes->excludes(trace, sums);
  add_json(*command, flags->json);
  command->callback([&context, flags] { context.chosen = [flags] { return simulate_job(*flags); }; });
}

}  // namespace convoy::cli
