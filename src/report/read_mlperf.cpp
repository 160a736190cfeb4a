// MLPerf training logs: lines that hold ":::MLLOG {"key": ..., "value": ..., "time_ms": ..., "metadata": {...}}". Names of
// hyperparameters become the keys of convoy's recipes where they mean the same, so that the two can be set side by side.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "report/read.h"

namespace convoy::report {
namespace {

constexpr std::string_view token = ":::MLLOG";

constexpr std::pair<std::string_view, const char*> recipe_keys[] = {
    {"global_batch_size", "minibatch.global"},
    {"opt_name", "optimizer.kind"},
    {"seed", "train.seed"},
    {"lars_opt_momentum", "optimizer.momentum"},
    {"sgd_opt_momentum", "optimizer.momentum"},
    {"lars_opt_weight_decay", "optimizer.weight_decay"},
    {"sgd_opt_weight_decay", "optimizer.weight_decay"},
    {"lars_epsilon", "optimizer.epsilon"},
    {"lars_opt_base_learning_rate", "schedule.rate"},
    {"sgd_opt_base_learning_rate", "schedule.rate"},
    {"lars_opt_end_learning_rate", "schedule.end_rate"},
    {"sgd_opt_end_learning_rate", "schedule.end_rate"},
    {"lars_opt_learning_rate_decay_poly_power", "schedule.power"},
    {"lars_opt_learning_rate_warmup_epochs", "schedule.warmup_epochs"},
    {"opt_learning_rate_warmup_epochs", "schedule.warmup_epochs"},
    {"model_bn_span", "network.bn_group"},
};

struct Reading {
  Run run;
  std::optional<double> started_ms{}, stopped_ms{};
  std::optional<int64_t> train_samples{}, held_out{};
  std::vector<double> speeds{};
  Curve top1{"held_out_top1"};
};

void read_event(const Json& event, Reading& to) {
  const std::string key = string(event, "key").value_or("");
  const auto value = number(event, "value");
  for (const auto& [theirs, ours] : recipe_keys)
    if (key == theirs) set(to.run.recipe, ours, text(event, "value"));
  if (key == "submission_benchmark")
    set(to.run.task, "network.model",
        string(event, "value") == "resnet" ? "\"resnet50\"" : text(event, "value"));
  if (key.starts_with("submission_")) set(to.run.launch, key, string(event, "value").value_or(""));
  if (key == "train_samples") to.train_samples = integer(event, "value");
  if (key == "eval_samples") to.held_out = integer(event, "value");
  if (key == "global_batch_size") to.run.global_minibatch = integer(event, "value");
  if (key == "run_start") to.started_ms = number(event, "time_ms");
  if (key == "run_stop") {
    to.stopped_ms = number(event, "time_ms");
    const std::string status = string(event, "metadata.status").value_or("");
    to.run.status = status == "success" ? "completed" : status;
  }
  if (key == "tracked_stats")
    if (const auto speed = number(event, "value.throughput")) to.speeds.push_back(*speed);
  if (key == "eval_accuracy" && value) {
    const auto epoch = number(event, "metadata.epoch_num");
    to.run.evaluations.push_back(
        {.step = static_cast<int64_t>(to.run.evaluations.size()), .epoch = epoch, .top1 = value});
  }
}

}  // namespace

Run read_mlperf(const std::filesystem::path& file, const std::string& text) {
  Reading reading;
  Run& run = reading.run;
  run.path = file.string();
  run.name = file.filename().string();
  run.format = "mlperf";
  size_t damaged = 0;
  for (size_t at = text.find(token); at != std::string::npos; at = text.find(token, at)) {
    at += token.size();
    const size_t end = std::min(text.find('\n', at), text.size());
    const auto event = parse(std::string_view(text).substr(at, end - at));
    if (event)
      read_event(*event, reading);
    else
      ++damaged;
    at = end;
  }
  require(!run.evaluations.empty() || reading.started_ms, Exit::diverged,
          "{} holds no whole run of MLPerf's: there is neither run_start nor eval_accuracy in it (cut off?)",
          run.path);
  if (damaged > 0)
    run.warnings.push_back(fmt::format("{}: {} damaged lines were passed over", run.path, damaged));
  if (run.status.empty()) run.status = "running";  // no run_stop: cut off, or not yet done
  if (reading.train_samples) set(run.task, "train_images", std::to_string(*reading.train_samples));
  if (reading.held_out) set(run.task, "held_out_images", std::to_string(*reading.held_out));
  if (run.global_minibatch) set(run.other, "minibatch.global", std::to_string(*run.global_minibatch));
  std::optional<double> seconds, best;
  if (reading.started_ms && reading.stopped_ms && *reading.stopped_ms > *reading.started_ms)
    seconds = (*reading.stopped_ms - *reading.started_ms) / 1000;
  std::optional<double> overall;
  if (!run.evaluations.empty() && run.evaluations.back().epoch && seconds && reading.train_samples) {
    overall = *run.evaluations.back().epoch * static_cast<double>(*reading.train_samples) / *seconds;
    if (reading.speeds.empty())
      run.warnings.push_back(run.path +
                             " logs no throughput: images/s is over the whole run, evaluations included");
  }
  run.add_speed(std::move(reading.speeds), overall);
  for (const Evaluation& evaluation : run.evaluations) {
    best = std::max(best.value_or(*evaluation.top1), *evaluation.top1);
    if (evaluation.epoch && reading.train_samples)
      reading.top1.points.push_back(
          {*evaluation.epoch * static_cast<double>(*reading.train_samples), *evaluation.top1});
  }
  if (!run.evaluations.empty())
    run.add_share("held_out_top1", "held-out top-1, last", run.evaluations.back().top1, reading.held_out,
                  true);
  run.add_share("held_out_top1_best", "held-out top-1, best", best, reading.held_out, false);
  run.add_number("run_s", "run_start to run_stop, seconds", seconds, Better::less);
  run.curves.push_back(std::move(reading.top1));
  return run;
}

}  // namespace convoy::report
