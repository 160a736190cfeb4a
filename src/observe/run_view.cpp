#include "observe/run_view.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "train/run_directory.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr int deepest = 100;
constexpr size_t longest_text = 2000;  // a reason is a sentence
constexpr size_t averaged = 20;   // steps
constexpr double silence_s = 10;  // before a process that is gone is called so

// The value of a path of keys if it is there and of the type, else `fallback`.
template <class T>
T at(const Json& json, std::initializer_list<const char*> keys, T fallback) {
  const Json* here = &json;
  for (const char* key : keys) {
    if (!here->is_object() || !here->contains(key)) return fallback;
    here = &(*here)[key];
  }
  try {
    return here->is_null() ? fallback : here->get<T>();
  } catch (const Json::exception&) {
    return fallback;
  }
}

// Texts end on a terminal, and counts are multiplied.
std::string text(const Json& json, std::initializer_list<const char*> keys, const char* fallback) {
  return printable(at<std::string>(json, keys, fallback), longest_text);
}

int64_t count(const Json& json, std::initializer_list<const char*> keys, int64_t fallback) {
  const auto value = at<double>(json, keys, -1.0);
  return value >= 0 && value < 0x1p31 ? static_cast<int64_t>(value) : fallback;
}

// Null where it is no JSON, or nested more deeply than any line of ours.
Json json_of(const std::string& text) {
  if (nested_deeper(text, deepest)) return nullptr;
  return Json::parse(text, nullptr, false);
}

std::optional<double> number(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

std::string text_or_empty(const fs::path& path) {
  try {
    return read_text(path);
  } catch (const std::exception&) {
    return "";
  }
}

double middle(std::vector<double> values) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

std::vector<Json> objects(const std::vector<std::string>& lines) {
  std::vector<Json> parsed;
  for (const std::string& line : lines) {
    Json json = json_of(line);
    if (json.is_object() && json.contains("event") && json["event"].is_string())
      parsed.push_back(std::move(json));
  }
  return parsed;
}

}  // namespace

RunView::RunView(fs::path folder)
    : folder_(std::move(folder)), metrics_(RunDirectory{folder_}.metrics()), times_(folder_ / "times.jsonl") {
  require(fs::is_directory(folder_), Exit::usage,
          "there is no run at {}: give the folder that `convoy train` names", folder_.string());
  const RunDirectory run{folder_};
  require(
      fs::exists(run.config()) || fs::exists(run.result()) || fs::exists(run.checkpoints()), Exit::usage,
      "{} is no run's folder (it holds no config.resolved.toml): give the folder that `convoy train` names",
      folder_.string());
  state_.run = fs::weakly_canonical(folder_).filename().string();
}

const RunState& RunView::refresh() {
  read_metrics();
  read_result();
  for (Json& line : objects(times_.more())) state_.times = std::move(line);
  look_for_life();
  draw_conclusions();
  return state_;
}

void RunView::read_result() {
  std::error_code missing;
  const auto time = fs::last_write_time(RunDirectory{folder_}.result(), missing);
  if (missing || time == result_time_) return;
  const Json json = json_of(text_or_empty(RunDirectory{folder_}.result()));
  if (!json.is_object()) return;
  result_time_ = time;
  state_.status = text(json, {"status"}, "running");
  state_.reason = text(json, {"reason"}, "");
  state_.exit_code.reset();
  if (const int64_t code = count(json, {"exit_code"}, -1); code >= 0)
    state_.exit_code = static_cast<int>(code);
  state_.experiment = text(json, {"experiment", "name"}, "");
  state_.steps_planned = count(json, {"steps", "planned"}, 0);
  state_.steps_done = std::max(state_.steps_done, count(json, {"steps", "count"}, 0));
  state_.samples = count(json, {"dataset", "train", "images"}, 0);
  state_.images_per_step = count(json, {"experiment", "resolved", "minibatch", "workers"}, 0) *
                           count(json, {"experiment", "resolved", "minibatch", "images"}, 0);
  state_.ranks = static_cast<int>(count(json, {"launch", "ranks"}, 0));
  std::set<std::string> hosts;
  for (const Json& rank : at<Json>(json, {"launch", "per_rank"}, Json::array()))
    hosts.insert(at<std::string>(rank, {"host"}, ""));
  state_.hosts = static_cast<int>(hosts.size());
  const Json epochs = at<Json>(json, {"epochs"}, Json::array());
  if (state_.evaluation.is_null() && epochs.is_array() && !epochs.empty()) state_.evaluation = epochs.back();
}

void RunView::read_metrics() {
  const std::vector<std::string> lines = metrics_.more();
  if (metrics_.restarted()) recent_.clear(), state_.steps_done = 0;
  for (Json& line : objects(lines)) {
    const std::string event = line["event"];
    if (event == "evaluation") state_.evaluation = std::move(line);
    if (event != "step") continue;
    state_.steps_done = count(line, {"step"}, state_.steps_done - 1) + 1;
    recent_.push_back(std::move(line));
    if (recent_.size() > averaged) recent_.pop_front();
  }
}

// The lock names "process 123 on host"; only on that host it can be asked after.
void RunView::look_for_life() {
  std::error_code missing;
  const auto written = fs::last_write_time(RunDirectory{folder_}.metrics(), missing);
  state_.quiet_seconds.reset();
  if (!missing)
    state_.quiet_seconds =
        std::max(0.0, std::chrono::duration<double>(fs::file_time_type::clock::now() - written).count());
  if (state_.status != "running" || state_.quiet_seconds.value_or(0) < silence_s) return;
  long process = 0;
  std::array<char, 256> host{}, here{};
  const std::string holder = text_or_empty(folder_ / ".lock");
  if (std::sscanf(holder.c_str(), "process %9ld on %255s", &process, host.data()) != 2) return;
  ::gethostname(here.data(), here.size() - 1);
  if (process <= 0 || std::string(host.data()) != here.data()) return;
  if (::kill(static_cast<pid_t>(process), 0) == 0 || errno != ESRCH) return;
  state_.status = "killed";
  state_.exit_code = static_cast<int>(Exit::failed);
  state_.reason =
      fmt::format("process {} is gone and left no word: go on with --resume {}", process, folder_.string());
}

void RunView::draw_conclusions() {
  state_.loss = state_.top1 = state_.rate = state_.images_per_s = state_.seconds_left = state_.communication =
      state_.data_wait = std::nullopt;
  if (recent_.empty()) return;
  const Json& last = recent_.back();
  state_.loss = number(last, "loss");
  state_.rate = number(last, "rate");
  double images = 0, correct = 0, communication = 0, data = 0, all = 0;
  std::vector<double> whole;
  for (const Json& line : recent_) {
    images += number(line, "images").value_or(0);
    correct += number(line, "correct1").value_or(0);
    if (at(line, {"warmup"}, false) && recent_.size() > 1) continue;
    const double seconds = number(line, "step_s").value_or(0) + number(line, "other_s").value_or(0);
    communication += number(line, "communication_exposed_s").value_or(0);
    data += number(line, "data_wait_s").value_or(0);
    all += seconds;
    if (seconds > 0) whole.push_back(seconds);
  }
  if (images > 0) state_.top1 = correct / images;
  if (whole.empty()) return;
  state_.communication = communication / all;
  state_.data_wait = data / all;
  const double step = middle(std::move(whole));
  if (state_.images_per_step > 0) state_.images_per_s = static_cast<double>(state_.images_per_step) / step;
  if (state_.steps_planned > 0)
    state_.seconds_left =
        step * static_cast<double>(std::max<int64_t>(0, state_.steps_planned - state_.steps_done));
}

Json to_json(const RunState& s) {
  const auto value = [](const auto& optional) { return optional ? Json(*optional) : Json(nullptr); };
  const auto known = [](int64_t count) { return count > 0 ? Json(count) : Json(nullptr); };
  return {{"run", s.run},
          {"experiment", s.experiment},
          {"status", s.status},
          {"exit_code", value(s.exit_code)},
          {"reason", s.reason.empty() ? Json(nullptr) : Json(s.reason)},
          {"steps_done", s.steps_done},
          {"steps_planned", known(s.steps_planned)},
          {"epochs", s.samples > 0 ? Json(s.epochs()) : Json(nullptr)},
          {"ranks", known(s.ranks)},
          {"hosts", known(s.hosts)},
          {"loss", value(s.loss)},
          {"top1", value(s.top1)},
          {"rate", value(s.rate)},
          {"images_per_s", value(s.images_per_s)},
          {"left_s", s.ended() ? Json(nullptr) : value(s.seconds_left)},
          {"communication_exposed_share", value(s.communication)},
          {"data_wait_share", value(s.data_wait)},
          {"quiet_s", value(s.quiet_seconds)},
          {"evaluation", s.evaluation},
          {"times", s.times}};
}

}  // namespace convoy
