#include "train/result.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <type_traits>
#include <utility>

#include "base/denormals.h"
#include "base/file.h"
#include "train/experiment_fields.h"
#include "train/run_directory.h"
#include "train/schedule.h"
#include "train/tool.h"

namespace convoy {
namespace {

constexpr size_t raw_samples = 4096;  // longer runs are thinned evenly, and say so

Json value_json(const Slot& slot) {
  return std::visit(
      [](const auto* value) -> Json {
        if constexpr (std::is_same_v<decltype(value), const std::filesystem::path*>) {
          return value->string();
        } else {
          return *value;
        }
      },
      slot);
}

Json dataset_json(const DatasetFacts& facts) {
  if (facts.samples == 0) return nullptr;
  return {{"path", facts.path},
          {"images", facts.samples},
          {"classes", facts.classes},
          {"fingerprint", facts.fingerprint}};
}

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json energy_json(const Energy& energy) {
  const auto joules = [](const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); };
  const bool known = energy.cpu_joules || energy.gpu_joules;
  const double all = energy.cpu_joules.value_or(0) + energy.gpu_joules.value_or(0);
  return {{"cpu_j", joules(energy.cpu_joules)},
          {"gpu_j", joules(energy.gpu_joules)},
          {"images", energy.images},
          {"j_per_image",
           known && energy.images > 0 ? Json(all / static_cast<double>(energy.images)) : Json(nullptr)},
          {"source", or_null(energy.source)},
          {"reason", or_null(energy.reason)}};
}

}  // namespace

Json resolved_json(const Experiment& experiment) {
  Json tables = Json::object();
  Experiment copy = experiment;
  visit_fields(copy, [&](const Field& field) {
    const bool path_of_none =
        std::holds_alternative<std::filesystem::path*>(field.slot) && toml_value(field.slot) == field.absent;
    if (field.unread.empty() && !path_of_none) tables[field.section][field.key] = value_json(field.slot);
  });
  return tables;
}

Json quantiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double q) {
    const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
    return values[std::max<size_t>(rank, 1) - 1];
  };
  return {{"min", at(0.0)},  {"p05", at(0.05)}, {"p25", at(0.25)}, {"median", at(0.5)},
          {"p75", at(0.75)}, {"p95", at(0.95)}, {"max", at(1.0)}};
}

Result::Result(const Experiment& experiment, const DatasetFacts& train, const DatasetFacts& held_out,
               const Placement& placement, std::string run_id, std::vector<std::string> command,
               std::string mpi_library)
    : tool_(tool_json()),
      experiment_(experiment),
      train_(train),
      held_out_(held_out),
      placement_(placement),
      command_(std::move(command)),
      run_id_(std::move(run_id)),
      mpi_library_(std::move(mpi_library)),
      started_(utc_now()) {}

void Result::resume(const std::vector<Json>& metrics, int64_t step) {
  resumed_at_ = steps_done_ = step;
  for (const Json& line : metrics) {
    const std::string event = line.at("event");
    if (event == "step") {
      const double seconds = line.value("step_s", 0.0);
      before_.train_seconds += seconds;
      count(seconds, line.value("warmup", line.at("step") == 0));
      wire_ += {line.value("wire_overflows", int64_t{0}), line.value("wire_underflows", int64_t{0})};
      skipped_ += line.value("skipped", false) ? 1 : 0;
      outliers_ += line.value("outlier", false) ? 1 : 0;
    } else if (event == "evaluation") {
      before_.evaluate_seconds += line.value("evaluate_s", 0.0);
      epochs_.push_back(line);
    } else if (event == "checkpoint") {
      before_.checkpoint_seconds += line.value("seconds_s", 0.0);
    }
  }
}

void Result::count(double seconds, bool warmup) {
  if (warmup) {
    ++launches_first_;
    return;
  }
  step_seconds_.add(seconds);
  shortest_ = std::min(shortest_, seconds);
  longest_ = std::max(longest_, seconds);
}

void Result::step(const StepRecord& record) {
  steps_done_ = record.step + 1;
  count(record.times.total, record.warmup);
  wire_ += record.wire.value_or(RangeErrors{});
  skipped_ += record.skipped ? 1 : 0;
  outliers_ += record.outlier ? 1 : 0;
}

void Result::evaluation(const EvaluationRecord& record) { epochs_.push_back(to_json(record)); }

void Result::know(const FinalRecord& record) {
  known_ = record;
  status_ = record.status;
}

void Result::finish(const FinalRecord& record) {
  know(record);
  steps_done_ = record.steps;
  ended_ = utc_now();
}

void Result::fail(int exit_code, const std::string& reason) {
  status_ = known_.status = "failed";
  known_.exit_code = exit_code;
  known_.reason = reason;
  ended_ = utc_now();
}

Json Result::experiment() const {
  return {{"name", experiment_.name},
          {"hash", hash(experiment_, train_, held_out_)},
          {"description", or_null(experiment_.description)},
          {"source", or_null(experiment_.source)},
          {"published",
           experiment_.published_json.empty() ? Json(nullptr) : Json::parse(experiment_.published_json)},
          {"resolved", resolved_json(experiment_)}};
}

Json Result::launch() const {
  Json ranks = Json::array();
  for (const RankReport& report : known_.ranks) ranks.push_back(to_json(report));
  return {{"command", command_},
          {"ranks", placement_.ranks()},
          {"road", placement_.reducer.road == Road::tree ? "tree" : "library"},
          {"overlap", placement_.reducer.overlap},
          {"mpi", mpi_library_},
          {"per_rank", ranks}};
}

Json Result::allreduce() const {
  const bool rounds = experiment_.allreduce.wire != "f32";
  return {{"wire", experiment_.allreduce.wire},
          {"bytes_per_step", known_.allreduce_bytes > 0 ? Json(known_.allreduce_bytes) : Json(nullptr)},
          {"overflows", rounds ? Json(wire_.overflows) : Json(nullptr)},
          {"underflows", rounds ? Json(wire_.underflows) : Json(nullptr)}};
}

Json Result::steps() const {
  Json json{{"count", steps_done_},          {"planned", Schedule(experiment_, train_.samples).steps()},
            {"resumed_at", resumed_at_},     {"warmup_dropped", launches_first_},
            {"skipped_nonfinite", skipped_}, {"gradient_outliers", outliers_}};
  const std::span<const double> seconds = step_seconds_.values();
  json["seconds"] = nullptr;
  if (!seconds.empty()) {
    json["seconds"] = quantiles({seconds.begin(), seconds.end()});
    json["seconds"]["min"] = shortest_;
    json["seconds"]["max"] = longest_;
  }
  const size_t stride = std::max<size_t>((seconds.size() + raw_samples - 1) / raw_samples, 1);
  json["samples_stride"] = static_cast<int64_t>(stride) * step_seconds_.stride();
  Json samples = Json::array();
  for (size_t i = 0; i < seconds.size(); i += stride) samples.push_back(seconds[i]);
  json["samples_s"] = std::move(samples);
  return json;
}

Json Result::numerics() const {
  Json digests = Json::array();
  for (const Json& epoch : epochs_)
    digests.push_back({{"step", epoch.at("step")}, {"weights_xxh3", epoch.at("weights_xxh3")}});
  Json json{{"claim", or_null(known_.claim)},
            {"precision", experiment_.precision.activations},
            {"convolutions", experiment_.precision.convolutions},
            {"denormals", flushes_denormals() ? "flush" : "keep"},  // as this rank's host does
            {"weights_xxh3_at", nullptr},
            {"final_weights_xxh3", or_null(known_.digest)}};
  json["weights_xxh3_at"] = std::move(digests);
  return json;
}

Json Result::efficiency() const {
  Json json{{"flops_per_image", known_.flops_per_image > 0 ? Json(known_.flops_per_image) : Json(nullptr)},
            {"images_per_s", nullptr},
            {"flops_per_s", nullptr}};
  const std::span<const double> seconds = step_seconds_.values();
  if (seconds.empty()) return json;
  const double median = quantiles({seconds.begin(), seconds.end()}).at("median");
  const double speed = static_cast<double>(experiment_.minibatch.global()) / median;
  json["images_per_s"] = speed;
  if (known_.flops_per_image > 0) json["flops_per_s"] = speed * static_cast<double>(known_.flops_per_image);
  return json;
}

Json Result::json() const {
  Json epochs = epochs_;
  for (Json& epoch : epochs) epoch.erase("event");
  size_t peak = 0;
  for (const RankReport& report : known_.ranks) peak = std::max(peak, report.peak_rss_bytes);
  Json whole{{"schema", "convoy.result/1"},
             {"run_id", run_id_},
             {"status", status_},
             {"exit_code", ended_.empty() ? Json(nullptr) : Json(known_.exit_code)},
             {"reason", or_null(known_.reason)},
             {"started", started_},
             {"ended", or_null(ended_)},
             {"tool", tool_},
             {"experiment", experiment()},
             {"launch", launch()},
             {"allreduce", allreduce()},
             {"claim", or_null(known_.claim)},
             {"dataset", {{"train", dataset_json(train_)}, {"held_out", dataset_json(held_out_)}}},
             {"phases_s",
              {{"init", known_.init_seconds},
               {"train", before_.train_seconds + known_.train_seconds},
               {"evaluate", before_.evaluate_seconds + known_.evaluate_seconds},
               {"checkpoint", before_.checkpoint_seconds + known_.checkpoint_seconds}}},
             {"epochs", nullptr},
             {"steps", nullptr},
             {"numerics", nullptr},
             {"efficiency", efficiency()},
             {"energy", energy_json(known_.energy)},
             {"memory", {{"peak_rss_bytes", peak > 0 ? Json(peak) : Json(nullptr)}}}};
  // What is long is moved to its place: an initializer list would hold it twice, again and again through the run.
  whole["epochs"] = std::move(epochs);
  whole["steps"] = steps();
  whole["numerics"] = numerics();
  return whole;
}

void Result::write(const std::filesystem::path& path) const {
  replace_file(path, json().dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace convoy
