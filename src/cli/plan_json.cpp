#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>

#include "cli/plan_report.h"
#include "train/schedule_picture.h"
#include "train/trainer.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;

Json range_json(const LiveRange& range) {
  return range.first < 0 ? Json() : Json{{"first_step", range.first}, {"last_step", range.last}};
}

Json layers_json(const PlanReport& report) {
  const Program& program = report.program;
  Json lines = Json::array();
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const Step step = program.steps[s];
    const auto n = static_cast<size_t>(step.node);
    const Node& node = program.graph.nodes[n];
    const Cost cost = cost_of(program, step);
    lines.push_back({{"pass", step.pass == Pass::forward ? "forward" : "backward"},
                     {"node", node.name},
                     {"op", name_of(node.op)},
                     {"output", {node.shape.channels, node.shape.height, node.shape.width}},
                     {"flops", cost.flops},
                     {"bytes", cost.bytes},
                     {"live_bytes", report.live[s]},
                     {"value_lives", range_json(program.values[n])},
                     {"gradient_lives", range_json(program.gradients[n])}});
  }
  return lines;
}

Json buckets_json(const Program& program) {
  Json lines = Json::array();
  for (const Bucket& bucket : program.layout.buckets)
    lines.push_back({{"bytes", (bucket.end - bucket.begin) * 4}, {"ready_after_step", bucket.ready_step}});
  return lines;
}

Json schedule_json(const PlanReport& report) {
  const auto* akiba = std::get_if<RmspropWarmup>(&report.optimizer);
  Json lines = Json::array();
  for (const int64_t step : telling_steps(report.schedule)) {
    const StepRates rates = report.schedule.at(step);
    Json line{{"step", step},
              {"epoch", rates.epoch},
              {"rate", rates.rate},
              {"momentum", momentum_at(report.optimizer, rates)}};
    if (akiba != nullptr) line["alpha_sgd"] = alpha_sgd(*akiba, rates.epoch);
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

Json plan_json(const PlanReport& report, bool layers) {
  const Experiment& experiment = report.experiment;
  const Program& program = report.program;
  const double images = program.images;
  const Schedule& schedule = report.schedule;
  Json json{
      {"name", experiment.name}, {"description", experiment.description}, {"source", experiment.source}};
  json["published"] =
      Json::parse(experiment.published_json.empty() ? "{}" : experiment.published_json, nullptr, false);
  json["network"] = {{"name", program.graph.name},
                     {"input_pixels", experiment.network.input},
                     {"classes", report.classes},
                     {"parameters", program.graph.parameters()},
                     {"multiply_adds_per_image", multiply_adds(program.graph)}};
  json["flops_per_image"] = {{"forward", static_cast<double>(report.costs.forward.flops) / images},
                             {"backward", static_cast<double>(report.costs.backward.flops) / images}};
  json["images"] = {{"training", report.sets.train.samples},
                    {"held_out", report.sets.held_out.samples},
                    {"assumed", report.sets.assumed}};
  json["minibatch"] = {{"images", schedule.global()},
                       {"workers", experiment.minibatch.workers},
                       {"images_per_worker", experiment.minibatch.images}};
  json["steps"] = schedule.steps();
  json["epochs"] = schedule.epochs_after(schedule.steps() - 1);
  json["ranks"] = report.placement.ranks();
  const auto [least, most] = workers_of_ranks(report.placement);
  json["workers_per_rank"] = {{"least", least}, {"most", most}};
  json["memory_bytes"] = {
      {"values_and_gradients_peak", *std::max_element(report.live.begin(), report.live.end())},
      {"weights_state_gradients", report.arena_bytes},
      {"partial_sums", report.reducer_bytes}};
  json["allreduce"] = {{"bytes_per_step", report.allreduce_bytes},
                       {"wire", experiment.allreduce.wire},
                       {"scale", experiment.allreduce.scale},
                       {"buckets", buckets_json(program)}};
  json["schedule"] = schedule_json(report);
  if (layers) json["layers"] = layers_json(report);
  return json;
}

}  // namespace convoy::cli
