// convoy plan JOB: what a job will compute, move, hold in memory and do with its learning rate, before it does it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/datasets.h"
#include "net/cost.h"
#include "net/program.h"
#include "port/communicator.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/placement.h"
#include "train/schedule.h"
#include "train/schedule_picture.h"
#include "train/trainer.h"

namespace convoy::cli {
namespace {

struct Flags {
  std::string job, train, held_out, picture;
  std::vector<std::string> overrides;
  int ranks = 1;
  PlacementOptions placement;
  bool layers = false;
};

int64_t bytes_of(const Program& program, int node) {
  return program.graph.nodes[static_cast<size_t>(node)].shape.elements() * program.images * 4;
}

bool covers(const LiveRange& range, int step) {
  return range.first >= 0 && range.first <= step && step <= range.last;
}

// Values and gradients that are alive while each step runs: nothing that computes the Program can hold less.
std::vector<int64_t> live_bytes(const Program& program) {
  std::vector<int64_t> bytes(program.steps.size(), 0);
  for (int step = 0; step < static_cast<int>(bytes.size()); ++step)
    for (int node = 0; node < static_cast<int>(program.graph.nodes.size()); ++node) {
      const auto n = static_cast<size_t>(node);
      const int copies = covers(program.values[n], step) + covers(program.gradients[n], step);
      bytes[static_cast<size_t>(step)] += copies * bytes_of(program, node);
    }
  return bytes;
}

std::string range_text(const LiveRange& range) {
  return range.first < 0 ? "-" : fmt::format("{}..{}", range.first, range.last);
}

void print_layers(const Program& program, const std::vector<int64_t>& live) {
  fmt::print(
      "\nSteps of one worker's minibatch (flops count multiply and add; bytes are the least traffic)\n");
  fmt::print("{:>5} {:<8} {:<28} {:<12} {:>16} {:>9} {:>11} {:>11} {:>12} {:>12}\n", "step", "pass", "node",
             "op", "output", "flops", "bytes", "live", "value lives", "grad lives");
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const Step step = program.steps[s];
    const auto n = static_cast<size_t>(step.node);
    const Node& node = program.graph.nodes[n];
    const Cost cost = cost_of(program, step);
    fmt::print("{:>5} {:<8} {:<28} {:<12} {:>16} {:>9} {:>11} {:>11} {:>12} {:>12}\n", s,
               step.pass == Pass::forward ? "forward" : "backward", node.name, name_of(node.op),
               fmt::format("{}x{}x{}", node.shape.channels, node.shape.height, node.shape.width),
               human_count(static_cast<double>(cost.flops)), human_bytes(static_cast<uint64_t>(cost.bytes)),
               human_bytes(static_cast<uint64_t>(live[s])), range_text(program.values[n]),
               range_text(program.gradients[n]));
  }
  fmt::print("\nGradient buckets, in the order of their allreduce\n{:>6} {:>12} {:>12}\n", "bucket", "bytes",
             "ready after");
  for (size_t b = 0; b < program.layout.buckets.size(); ++b) {
    const Bucket& bucket = program.layout.buckets[b];
    fmt::print("{:>6} {:>12} {:>12}\n", b, human_bytes(static_cast<uint64_t>(bucket.end - bucket.begin) * 4),
               fmt::format("step {}", bucket.ready_step));
  }
}

void print_schedule(const Experiment& experiment, const Schedule& schedule) {
  const Optimizer optimizer = make_optimizer(experiment.optimizer);
  const auto* akiba = std::get_if<RmspropWarmup>(&optimizer);
  fmt::print("\n{:>10} {:>8} {:>12} {:>9}{}\n", "step", "epoch", "rate", "momentum",
             akiba != nullptr ? " alpha_SGD" : "");
  for (const int64_t step : telling_steps(schedule)) {
    const StepRates rates = schedule.at(step);
    const double bar = std::clamp(30 * rates.rate / std::max(schedule.peak(), 1e-30), 0.0, 60.0);
    fmt::print("{:>10} {:>8.2f} {:>12.6g} {:>9.4g}{}  {}\n", step, rates.epoch, rates.rate,
               momentum_at(optimizer, rates),
               akiba != nullptr ? fmt::format(" {:>9.4f}", alpha_sgd(*akiba, rates.epoch)) : "",
               std::string(static_cast<size_t>(bar + 0.5), '#'));
  }
}

void print_published(const Experiment& experiment) {
  fmt::print("\nsource      {}\n", experiment.source);
  const auto published = nlohmann::json::parse(
      experiment.published_json.empty() ? "{}" : experiment.published_json, nullptr, false);
  for (const auto& [key, value] : published.items())
    fmt::print("published   {} = {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
}

// What the network tells apart, which may be more than the set holds.
int classes_of(const Graph& graph) {
  for (const Node& node : graph.nodes)
    if (std::holds_alternative<SoftmaxLoss>(node.op))
      return graph.nodes[static_cast<size_t>(node.inputs.front())].shape.channels;
  ensure(false);
  return 0;
}

int plan(const Flags& flags) {
  Experiment experiment = parse_experiment(flags.job, flags.overrides);
  LocalCommunicator alone;
  const Sets sets = open_sets(experiment, flags.train, flags.held_out, alone, Presence::optional);
  const Graph graph = make_network(experiment.network, sets.train.classes);
  const Placement placement =
      place(experiment.minibatch.workers, flags.ranks, flags.placement, workers_together(experiment));
  const Schedule schedule(experiment, sets.train.samples);
  const Program program =
      lower(graph, runs_of(experiment).images, {Mode::training, bucket_bytes(experiment), false});
  const std::vector<int64_t> live = live_bytes(program);
  const PassCosts costs = cost_of(program);
  const double images = program.images;

  fmt::print("{}: {}\n", experiment.name, experiment.description);
  fmt::print(
      "  network     {}, {} x {} pixels, {} classes: {} parameters, {:.3g} G multiply-adds an image "
      "forward\n",
      graph.name, experiment.network.input, experiment.network.input, classes_of(graph), graph.parameters(),
      static_cast<double>(multiply_adds(graph)) * 1e-9);
  fmt::print("  training    {:.4g} Gflop an image ({:.4g} forward, {:.4g} backward)\n",
             static_cast<double>(costs.forward.flops + costs.backward.flops) / images * 1e-9,
             static_cast<double>(costs.forward.flops) / images * 1e-9,
             static_cast<double>(costs.backward.flops) / images * 1e-9);
  fmt::print("  images      {} for training, {} held out{}\n", sets.train.samples, sets.held_out.samples,
             sets.assumed ? " (ImageNet's numbers, as no dataset is named)" : "");
  fmt::print("  minibatch   {} = {} workers x {} images; {} steps, {:.4g} epochs\n", schedule.global(),
             experiment.minibatch.workers, experiment.minibatch.images, schedule.steps(),
             schedule.epochs_after(schedule.steps() - 1));
  fmt::print("  ranks       {}, {} to {} workers on each\n", placement.ranks(), placement.shares.back().count,
             placement.shares.front().count);
  const auto arena = static_cast<uint64_t>(program.layout.elements) * 4;
  const auto peak = static_cast<uint64_t>(*std::max_element(live.begin(), live.end()));
  const Wire wire = wire_of(experiment);
  ReducerOptions reducer = placement.reducer;
  reducer.wire = wire;
  fmt::print(
      "  memory      {} of values and gradients at the peak, {} of weights, optimizer state and gradients, "
      "{} of partial sums a rank\n",
      human_bytes(peak),
      human_bytes(arena * static_cast<uint64_t>(2 + optimizer_states(make_optimizer(experiment.optimizer)))),
      human_bytes(reducer_bytes(program.layout, reducer, placement.ranks(), placement.runs(0).count)));
  fmt::print("  allreduce   {} a step in {} buckets, gradients as {}\n",
             human_bytes(static_cast<uint64_t>(allreduce_bytes(wire, program.layout))),
             program.layout.buckets.size(), wire.name());
  print_schedule(experiment, schedule);
  print_published(experiment);
  if (!flags.picture.empty()) {
    replace_file(flags.picture, draw_schedule(experiment, schedule));
    fmt::print("picture     {}\n", flags.picture);
  }
  if (flags.layers) print_layers(program, live);
  return 0;
}

}  // namespace

void add_plan(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("plan", "show what a job will do, without doing it");
  auto flags = std::make_shared<Flags>();
  command->add_option("job", flags->job, "a job file, e.g. jobs/demo.toml")->required();
  command->add_option("--train", flags->train,
                      "packed training set (default: the job's; else ImageNet's numbers)");
  command->add_option("--held-out", flags->held_out, "packed held-out set");
  command->add_option("--set", flags->overrides, "section.key=value, may be repeated")
      ->allow_extra_args(false);
  command->add_option("--ranks", flags->ranks, "ranks to deal the workers to")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--road", flags->placement.road, "as of `convoy train`")
      ->capture_default_str()
      ->check(CLI::IsMember({"tree", "library"}));
  command->add_option("--picture", flags->picture,
                      "also draw the learning rate over epochs into this SVG file");
  command->add_flag("--layers", flags->layers,
                    "also every step with its flops, bytes and live ranges, and the buckets");
  command->callback([&context, flags] { context.chosen = [flags] { return plan(*flags); }; });
}

}  // namespace convoy::cli
