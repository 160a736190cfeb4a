#include "observe/mllog.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <sstream>

#include "base/file.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view token = ":::MLLOG ";

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

int64_t before(int64_t time_ms, double seconds) { return time_ms - std::llround(1000 * seconds); }

std::string platform(const FinalRecord& known) {
  std::set<std::string> hosts;
  for (const RankReport& rank : known.ranks) hosts.insert(rank.host);
  const std::string device = known.ranks.empty() ? "unknown" : known.ranks.front().device.hardware;
  return fmt::format("{}_x_{}", hosts.size(), device);
}

}  // namespace

MlLog::MlLog(std::filesystem::path file, Experiment experiment, const DatasetFacts& train,
             const DatasetFacts& held_out)
    : path_(std::move(file)),
      experiment_(std::move(experiment)),
      train_(train),
      held_out_(held_out),
      schedule_(experiment_, train.samples),
      begun_ms_(now_ms()) {}

void MlLog::write(const std::string& key, const Json& value, Json metadata) {
  write(Type::point, now_ms(), key, value, std::move(metadata));
}

void MlLog::write(Type type, int64_t time_ms, const std::string& key, const Json& value, Json metadata) {
  if (!file_) return;
  static constexpr const char* names[] = {"POINT_IN_TIME", "INTERVAL_START", "INTERVAL_END"};
  last_ms_ = std::max(last_ms_, time_ms);  // what is dated back by a duration never overtakes the line before
  const Json line{{"namespace", ""}, {"time_ms", last_ms_}, {"event_type", names[static_cast<size_t>(type)]},
                  {"key", key},      {"value", value},      {"metadata", std::move(metadata)}};
  file_->append(std::string(token) + line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

// Of an earlier launch: the lines up to the restored step, without an end that was none.
void MlLog::keep_until(int64_t steps) {
  std::istringstream text(read_text(path_));
  std::string kept;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with(token)) {
      const Json json = Json::parse(line.substr(token.size()), nullptr, false);
      if (!json.is_object() || !json.contains("key") || !json.contains("metadata")) continue;
      const std::string key = json.at("key");
      const int64_t at = json.at("metadata").value("step_num", int64_t{0});
      if (key == "run_stop" || at > steps || (key == "block_start" && at == steps)) continue;
      if (key == "block_start") in_block_ = true, block_from_ = at;
      if (key == "block_stop") in_block_ = false;
    }
    kept += line + "\n";
  }
  replace_file(path_, kept);
}

Carried MlLog::start(int64_t step, const FinalRecord& known) {
  const bool resumed = step > 0 && std::filesystem::exists(path_);
  if (resumed) keep_until(step);
  file_ = std::make_unique<Appender>(path_, resumed ? File::Mode::update : File::Mode::create, 0.0);
  if (resumed) return {};
  describe(known);
  write(Type::end, now_ms(), "init_stop", nullptr, Json::object());
  write(Type::start, now_ms(), "run_start", nullptr, Json::object());
  return {};
}

void MlLog::describe(const FinalRecord& known) {
  const bool resnet = experiment_.network.model.starts_with("resnet");
  file_->append(
      "# MLPerf training log of an unreviewed run, open division; mlperf_logging.compliance_checker --ruleset 4.0.0\n");
  if (!resnet) file_->append("# The checker refuses it: it has no rules for this submission_benchmark.\n");
  if (held_out_.samples == 0)
    file_->append("# The checker refuses it: without a held-out set there is no eval_accuracy.\n");
  if (experiment_.optimizer.kind == "rmsprop-warmup")
    file_->append(
        "# The checker accepts it; the closed division's rules know no opt_name but sgd and lars.\n");
  write(Type::start, begun_ms_, "init_start", nullptr, Json::object());
  write("cache_clear", false, {{"comment", "the page cache is left as it is"}});
  write("submission_org", "unsubmitted");
  write("submission_platform", platform(known));
  write("submission_division", "open");
  write("submission_status", "research");
  write("submission_benchmark", resnet ? "resnet" : experiment_.network.model);
  write("model_name", experiment_.network.model, {{"variant", experiment_.network.variant}});
  write("seed", experiment_.train.seed);
  write("global_batch_size", schedule_.global());
  const auto ranks = std::max<int64_t>(1, std::ssize(known.ranks));
  write("gradient_accumulation_steps", (experiment_.minibatch.workers + ranks - 1) / ranks);
  write("train_samples", train_.samples);
  write("eval_samples", held_out_.samples);
  const int group = experiment_.network.bn_group;
  write("model_bn_span", group > 0 ? group : experiment_.minibatch.images);
  for (const auto& [key, value] : mllog_recipe(experiment_, train_.samples)) write(key, value);
}

// The epoch that the step before `steps` ended or was in, from 1; a step may go a little over an epoch's end.
int64_t MlLog::epoch_at(int64_t steps) const {
  const double half_step =
      0.5 * static_cast<double>(schedule_.global()) / static_cast<double>(train_.samples);
  return std::max<int64_t>(1, std::llround(std::floor(schedule_.epochs_after(steps - 1) + half_step)));
}

void MlLog::step(const StepRecord& record) {
  if (in_block_) return;
  in_block_ = true;
  block_from_ = record.step;
  const int64_t first = schedule_.epoch_of(record.step) + 1;
  const int every = experiment_.train.evaluate_every;
  const int64_t left = std::max<int64_t>(1, epoch_at(schedule_.steps()) - first + 1);
  write(Type::start, before(now_ms(), record.times.total), "block_start", nullptr,
        {{"first_epoch_num", first},
         {"epoch_count", every > 0 ? std::min<int64_t>(every, left) : left},
         {"step_num", record.step}});
}

void MlLog::evaluation(const EvaluationRecord& record) {
  const int64_t now = now_ms(), begun = before(now, record.seconds), done = record.step + 1;
  const int64_t first = schedule_.epoch_of(block_from_) + 1;
  const Json where{
      {"epoch_num", epoch_at(done)}, {"samples_count", done * schedule_.global()}, {"step_num", done}};
  write(Type::end, begun, "block_stop", nullptr, {{"first_epoch_num", first}, {"step_num", done}});
  in_block_ = false;
  if (record.train_seconds > 0)
    write(Type::point, begun, "tracked_stats",
          {{"throughput", static_cast<double>(record.train.images) / record.train_seconds}}, where);
  const Totals& totals = record.held_out;
  if (totals.images == 0) return;
  write(Type::start, begun, "eval_start", nullptr, where);
  write(Type::point, now, "eval_accuracy",
        static_cast<double>(totals.correct1) / static_cast<double>(totals.images), where);
  write(Type::end, now, "eval_stop", nullptr, where);
}

void MlLog::finish(const FinalRecord& record) {
  if (record.status == "time_limit") return;  // to be resumed
  write(Type::end, now_ms(), "run_stop", nullptr,
        {{"status", record.status == "completed" ? "success" : "aborted"}, {"step_num", record.steps}});
}

}  // namespace convoy
