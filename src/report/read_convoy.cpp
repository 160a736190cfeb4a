// result.json (results/result.schema.json), with metrics.jsonl and predictions.csv where they lie beside it; and what
// `convoy simulate` writes of the same experiments.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "base/error.h"
#include "report/read.h"
#include "train/experiment_fields.h"

namespace convoy::report {
namespace {

constexpr const char* task_keys[] = {"network.model", "network.variant", "network.stem", "network.width",
                                     "network.input"};

// Keys that the bits do not depend on. A key of a newer version counts: it may change them.
std::set<std::string> other_keys() {
  std::set<std::string> names;
  Experiment experiment;
  visit_fields(experiment, [&](const Field& field) {
    if (!field.arithmetic) names.insert(field.name());
  });
  return names;
}

void read_recipe(const Json& result, Run& run) {
  const std::set<std::string> skipped = other_keys();
  const Json* resolved = member(result, "experiment.resolved");
  if (resolved != nullptr && resolved->is_object())
    for (const auto& [section, table] : resolved->items()) {
      if (!table.is_object()) continue;
      for (const auto& item : table.items())
        if (const std::string name = section + "." + item.key(); !skipped.contains(name))
          set(run.recipe, name, text(table, item.key()));
    }
  for (const char* key : task_keys)
    if (const std::string* value = find(run.recipe, key)) set(run.task, key, *value);
  for (const char* part : {"train", "held_out"}) {
    const std::string name = fmt::format("dataset.{}", part);
    const std::string fingerprint = text(result, name + ".fingerprint");
    set(run.recipe, name, fingerprint);
    set(run.task, name, fingerprint);
    set(run.task, std::string(part) + "_images", text(result, name + ".images"));
  }
  run.held_out = string(result, "dataset.held_out.fingerprint").value_or("");
  const auto workers = integer(result, "experiment.resolved.minibatch.workers");
  const auto images = integer(result, "experiment.resolved.minibatch.images");
  constexpr int64_t most = int64_t{1} << 31;
  if (workers && images && *workers > 0 && *images > 0 && *workers < most && *images < most) {
    run.global_minibatch = *workers * *images;
    set(run.other, "minibatch.global", std::to_string(*run.global_minibatch));
  }
}

void read_launch(const Json& result, Run& run) {
  for (const char* key : {"backend", "library", "isa", "threads", "device", "host"}) {
    std::vector<std::string> values;
    for (const Json& rank : list(result, "launch.per_rank")) {
      const std::string value = string(rank, key).value_or(text(rank, key));
      if (!value.empty() && std::ranges::find(values, value) == values.end()) values.push_back(value);
    }
    if (values.size() > 4) values = {fmt::format("{} different ones", values.size())};
    set(run.launch, fmt::format("launch.{}", key), fmt::format("{}", fmt::join(values, " + ")));
  }
  for (const char* key : {"ranks", "road", "mpi"}) {
    const std::string path = fmt::format("launch.{}", key);
    set(run.launch, path, string(result, path).value_or(text(result, path)));
  }
  set(run.launch, "claim", string(result, "claim").value_or(""));
  for (const char* key : {"version", "commit", "compiler", "flags"})
    set(run.launch, fmt::format("tool.{}", key), string(result, fmt::format("tool.{}", key)).value_or(""));
  set(run.other, "experiment.hash", run.hash);
  set(run.other, "experiment.name", string(result, "experiment.name").value_or(""));
}

void read_steps(const Json& result, Run& run) {
  std::vector<double> speeds;
  if (run.global_minibatch)
    for (const Json& seconds : list(result, "steps.samples_s"))
      if (const auto value = number(seconds, ""); value && *value > 0)
        speeds.push_back(static_cast<double>(*run.global_minibatch) / *value);
  run.add_speed(std::move(speeds), number(result, "efficiency.images_per_s"));
}

// Unless every rank says all of it.
void read_step_parts(const Json& result, Run& run) {
  StepParts sums;
  double ranks = 0;
  for (const Json& rank : list(result, "launch.per_rank")) {
    const auto data = number(rank, "median_step.data_wait_s"),
               compute = number(rank, "median_step.compute_s"),
               exposed = number(rank, "median_step.communication_exposed_s"),
               optimizer = number(rank, "median_step.optimizer_s");
    if (!data || !compute || !exposed || !optimizer) return;
    sums.data_wait += *data;
    sums.compute += *compute;
    sums.communication_exposed += *exposed;
    sums.optimizer += *optimizer;
    ++ranks;
  }
  if (ranks == 0) return;
  run.step_parts = StepParts{sums.data_wait / ranks, sums.compute / ranks, sums.communication_exposed / ranks,
                             sums.optimizer / ranks};
}

void read_evaluation(const Json& line, Run& run, Curve& losses, Curve& top1) {
  Evaluation evaluation{.step = integer(line, "step").value_or(-1),
                        .epoch = number(line, "epoch"),
                        .top1 = number(line, "held_out_top1"),
                        .digest = string(line, "weights_xxh3").value_or("")};
  if (evaluation.step < 0) return;
  const double images =
      static_cast<double>(evaluation.step + 1) * static_cast<double>(run.global_minibatch.value_or(1));
  if (const auto loss = number(line, "held_out_loss")) losses.points.push_back({images, *loss});
  if (evaluation.top1) top1.points.push_back({images, *evaluation.top1});
  run.evaluations.push_back(std::move(evaluation));
}

void read_epochs(const Json& result, Run& run) {
  const Json& epochs = list(result, "epochs");
  Curve losses{"held_out_loss"}, top1{"held_out_top1"};
  std::optional<double> best;
  for (const Json& epoch : epochs) {
    read_evaluation(epoch, run, losses, top1);
    if (const auto value = number(epoch, "held_out_top1")) best = std::max(best.value_or(*value), *value);
  }
  run.curves.push_back(std::move(losses));
  run.curves.push_back(std::move(top1));
  if (epochs.empty()) return;
  const Json& last = epochs.back();
  const auto images = integer(last, "held_out_images");
  run.add_share("held_out_top1", "held-out top-1, last", number(last, "held_out_top1"), images, true);
  run.add_share("held_out_top1_best", "held-out top-1, best", best, images, false);
  run.add_share("held_out_top5", "held-out top-5, last", number(last, "held_out_top5"), images, false);
  run.add_number("held_out_loss", "held-out loss, last", number(last, "held_out_loss"), Better::less);
  run.add_number("train_loss", "training loss, last", number(last, "train_loss"), Better::less);
}

// The steps' losses, line by line; a torn or foreign line is passed over.
void read_metrics(const std::filesystem::path& file, Run& run) {
  Curve losses{"train_loss"};
  std::error_code ignored;
  if (std::filesystem::is_regular_file(file, ignored)) {
    const std::string text = read_file(file);
    for (std::string_view rest = text; !rest.empty();) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      const auto line = parse(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (!line || string(*line, "event") != "step") continue;
      const auto step = integer(*line, "step"), sum = integer(*line, "loss_sum"),
                 right = integer(*line, "correct1");
      if (!step || *step < 0) continue;
      if (sum && right) run.steps.push_back({*step, *sum, *right});
      if (const auto loss = number(*line, "loss"))
        losses.points.push_back(
            {static_cast<double>(*step + 1) * static_cast<double>(run.global_minibatch.value_or(1)), *loss});
    }
  }
  run.curves.push_back(std::move(losses));
}

void read_predictions(const std::filesystem::path& file, Run& run) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return;
  auto predictions = parse_predictions(read_file(file));
  const Quantity* top1 = run.quantity("held_out_top1");
  if (!predictions || predictions->held_out != run.held_out || predictions->weights != run.final_digest ||
      top1 == nullptr || !top1->counts ||
      top1->counts->images != static_cast<int64_t>(predictions->images.size())) {
    run.warnings.push_back(fmt::format(
        "{} is not of the final weights and this held-out set, and was not used: `convoy evaluate RUN --predictions "
        "RUN/predictions.csv` writes it again",
        file.string()));
    return;
  }
  run.predictions = std::move(predictions->images);
}

}  // namespace

Run read_convoy(const std::filesystem::path& file, const Json& result) {
  const std::filesystem::path folder = file.parent_path();
  Run run{.path = file.string(),
          .name = string(result, "run_id").value_or(folder.filename().string()),
          .format = "convoy",
          .status = string(result, "status").value_or(""),
          .hash = string(result, "experiment.hash").value_or("")};
  if (const std::string schema = *string(result, "schema"); schema != "convoy.result/1")
    run.warnings.push_back(
        fmt::format("{} has schema \"{}\", another than this program's convoy.result/1: read as "
                    "far as it is known",
                    run.path, schema));
  run.final_digest = string(result, "numerics.final_weights_xxh3").value_or("");
  read_recipe(result, run);
  read_launch(result, run);
  read_steps(result, run);
  read_step_parts(result, run);
  read_epochs(result, run);
  run.add_number("train_s", "training, seconds", number(result, "phases_s.train"), Better::less);
  run.add_number("peak_rss_bytes", "memory of a rank at most, bytes", number(result, "memory.peak_rss_bytes"),
                 Better::less);
  run.add_number("joules_per_image", "joules per image", number(result, "energy.joules_per_image"),
                 Better::less);
  if (file.filename() == "result.json") {
    read_metrics(folder / "metrics.jsonl", run);
    read_predictions(folder / "predictions.csv", run);
  }
  return run;
}

// A rank that waits for a slower one spends that time in the allreduce: imbalance counts there, as in a real run.
Run read_simulation(const std::filesystem::path& file, const Json& json) {
  Run run{.path = file.string(),
          .name = file.stem().string(),
          .format = "simulation",
          .status = "completed",
          .hash = string(json, "experiment.hash").value_or("")};
  read_recipe(json, run);
  for (const char* key :
       {"cluster.name", "cluster.basis", "ranks", "nodes", "allreduce.algorithm", "allreduce.overlap"})
    set(run.launch, key, string(json, key).value_or(text(json, key)));
  set(run.other, "experiment.name", string(json, "experiment.name").value_or(""));
  run.add_speed({},
                number(json, "images_per_s"));  // simulated iterations are no samples: nothing is measured
  run.add_number("iteration_s", "an iteration, seconds", number(json, "iteration_s"), Better::less);
  run.add_share("efficiency", "efficiency against one rank", number(json, "efficiency"), {}, false);
  run.add_number("node_hours", "node-hours", number(json, "node_hours"), Better::less);
  const auto compute = number(json, "decomposition_s.compute"),
             imbalance = number(json, "decomposition_s.imbalance"),
             exposed = number(json, "decomposition_s.communication_exposed"),
             overhead = number(json, "decomposition_s.overhead");
  if (compute && imbalance && exposed && overhead)
    run.step_parts = StepParts{number(json, "decomposition_s.data_wait").value_or(0), *compute,
                               *exposed + *imbalance, *overhead};
  return run;
}

}  // namespace convoy::report
