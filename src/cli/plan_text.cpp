#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>

#include "base/text.h"
#include "cli/plan_report.h"
#include "train/port_options.h"
#include "train/schedule_picture.h"

namespace convoy::cli {
namespace {

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

void print_schedule(const Schedule& schedule, const Optimizer& optimizer) {
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

}  // namespace

void print_plan(const PlanReport& report, bool layers) {
  const auto& [experiment, sets, placement, schedule, program, live, costs, optimizer, classes, arena,
               partial, sent] = report;
  const Graph& graph = program.graph;
  const double images = program.images;
  fmt::print("{}: {}\n", experiment.name, experiment.description);
  fmt::print(
      "  network     {}, {} x {} pixels, {} classes: {} parameters, {:.3g} G multiply-adds an image "
      "forward\n",
      graph.name, experiment.network.input, experiment.network.input, classes, graph.parameters(),
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
  const auto [least, most] = workers_of_ranks(placement);
  fmt::print("  ranks       {}, {} to {} workers on each\n", placement.ranks(), least, most);
  const auto peak = static_cast<uint64_t>(*std::max_element(live.begin(), live.end()));
  fmt::print(
      "  memory      {} of values and gradients at the peak, {} of weights, optimizer state and gradients, "
      "{} of partial sums a rank\n",
      human_bytes(peak), human_bytes(arena), human_bytes(partial));
  fmt::print("  allreduce   {} a step in {} buckets, gradients as {}\n", human_bytes(sent),
             program.layout.buckets.size(), wire_of(experiment).name());
  print_schedule(schedule, optimizer);
  print_published(experiment);
  if (layers) print_layers(program, live);
}

}  // namespace convoy::cli
