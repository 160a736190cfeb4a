#include "cli/plan_report.h"

#include <algorithm>
#include <ranges>
#include <variant>

#include "base/error.h"
#include "train/network.h"
#include "train/port_options.h"

namespace convoy::cli {
namespace {

int64_t bytes_of(const Program& program, int node, int64_t each) {
  return program.graph.nodes[static_cast<size_t>(node)].shape.elements() * program.images * each;
}

bool covers(const LiveRange& range, int step) {
  return range.first >= 0 && range.first <= step && step <= range.last;
}

// Values and gradients that are alive while each step runs: nothing that computes the Program can hold less.
std::vector<int64_t> live_bytes(const Program& program, int64_t each) {
  std::vector<int64_t> bytes(program.steps.size(), 0);
  for (int step = 0; step < static_cast<int>(bytes.size()); ++step)
    for (int node = 0; node < static_cast<int>(program.graph.nodes.size()); ++node) {
      const auto n = static_cast<size_t>(node);
      const int copies = covers(program.values[n], step) + covers(program.gradients[n], step);
      bytes[static_cast<size_t>(step)] += copies * bytes_of(program, node, each);
    }
  return bytes;
}

// What the network tells apart, which may be more than the set holds.
int classes_of(const Graph& graph) {
  for (const Node& node : graph.nodes)
    if (std::holds_alternative<SoftmaxLoss>(node.op))
      return graph.nodes[static_cast<size_t>(node.inputs.front())].shape.channels;
  ensure(false);
  return 0;
}

}  // namespace

PlanReport make_plan_report(const Experiment& experiment, const Sets& sets, const Placement& placement) {
  const Graph graph = make_network(experiment.network, sets.train.classes);
  PlanReport report{
      .experiment = experiment,
      .sets = sets,
      .placement = placement,
      .schedule = Schedule(experiment, sets.train.samples),
      .program = lower(graph, runs_of(experiment).images, {Mode::training, bucket_bytes(experiment), false}),
      .live = {},
      .costs = {},
      .optimizer = make_optimizer(experiment.optimizer)};
  const Layout& layout = report.program.layout;
  const Precision precision = precision_of(experiment);
  report.live =
      live_bytes(report.program, precision == Precision::bf16 || precision == Precision::fp16 ? 2 : 4);
  report.costs = cost_of(report.program);
  report.classes = classes_of(graph);
  report.arena_bytes = static_cast<uint64_t>(layout.elements) * 4 *
                       static_cast<uint64_t>(2 + optimizer_states(report.optimizer));
  ReducerOptions reducer = placement.reducer;
  reducer.wire = wire_of(experiment);
  report.reducer_bytes = reducer_bytes(layout, reducer, placement.ranks(), placement.runs(0).count);
  report.allreduce_bytes = static_cast<uint64_t>(allreduce_bytes(reducer.wire, layout));
  return report;
}

LeastAndMost workers_of_ranks(const Placement& placement) {
  const auto counts = std::views::transform(placement.shares, &Share::count);
  return {std::ranges::min(counts), std::ranges::max(counts)};
}

}  // namespace convoy::cli
