#include "train/metrics.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <sstream>

#include "base/error.h"
#include "base/file.h"

namespace convoy {
namespace {

// No NaN in JSON: what is not known or not finite is null.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json share(int64_t part, int64_t whole) {
  return whole > 0 ? Json(static_cast<double>(part) / static_cast<double>(whole)) : Json(nullptr);
}

constexpr const char* step_counts[] = {"images", "correct1", "loss_sum", "nonfinite"};

Json mean_loss(const Totals& totals) { return number(totals.mean_loss()); }

// A line as it was written: one that broke off, or that a disk or an editor has changed, counts as none.
bool is_whole(const Json& line) {
  const auto counts = [&](const char* key) { return line.contains(key) && line[key].is_number_integer(); };
  if (!line.is_object() || !line.contains("event") || !line["event"].is_string() || !counts("step"))
    return false;
  return line["event"] != "step" || std::ranges::all_of(step_counts, counts);
}

}  // namespace

Carried carried(const std::vector<Json>& kept) {
  Carried sums;
  for (const Json& line : kept) {
    if (line.at("event") == "evaluation") sums = {};
    if (line.at("event") != "step") continue;
    sums.train += Totals{.images = line.at("images"),
                         .correct1 = line.at("correct1"),
                         .correct5 = line.value("correct5", int64_t{0}),
                         .loss = line.at("loss_sum"),
                         .nonfinite = line.at("nonfinite")};
    sums.seconds += line.value("step_s", 0.0);
  }
  return sums;
}

std::vector<Json> read_metrics(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::istringstream text(read_text(path));
  for (std::string line; std::getline(text, line);) {
    Json parsed = Json::parse(line, nullptr, false);
    if (is_whole(parsed)) lines.push_back(std::move(parsed));
  }
  return lines;
}

Metrics::Metrics(const std::filesystem::path& path, int64_t first_step)
    : path_(path), file_(nullptr, &std::fclose) {
  if (std::filesystem::exists(path)) {
    std::string text;
    for (Json& line : read_metrics(path)) {
      if (line.at("step").get<int64_t>() >= first_step) continue;
      text += line.dump() + "\n";
      kept_.push_back(std::move(line));
    }
    replace_file(path, text);
  }
  file_.reset(std::fopen(path.c_str(), "a"));
  if (!file_) fail_errno(errno, "cannot open " + path.string());
}

void Metrics::append(const Json& line) {
  const std::string text = line.dump() + "\n";
  std::clearerr(file_.get());
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0)
    fail_errno(errno, "cannot append to " + path_.string());
}

Json to_json(const StepRecord& r, int64_t images) {
  Json line{{"event", "step"},
            {"step", r.step},
            {"images", r.totals.images},
            {"loss", mean_loss(r.totals)},
            {"loss_sum", r.totals.loss},
            {"correct1", r.totals.correct1},
            {"correct5", r.totals.correct5},
            {"nonfinite", r.totals.nonfinite},
            {"rate", number(r.rate)},
            {"gradient_norm", number(r.gradient_norm)},
            {"warmup", r.warmup},
            {"step_s", r.times.total},
            {"data_wait_s", r.times.data_wait},
            {"compute_s", r.times.compute},
            {"communication_exposed_s", r.times.communication},
            {"optimizer_s", r.times.optimizer},
            {"other_s", r.times.other},
            {"images_per_s",
             r.times.total > 0 ? Json(static_cast<double>(images) / r.times.total) : Json(nullptr)}};
  if (r.outlier) line["outlier"] = true;
  if (r.skipped) line["skipped"] = true;
  if (r.loss_scale) line["loss_scale"] = *r.loss_scale;
  if (r.wire) line.update({{"wire_overflows", r.wire->overflows}, {"wire_underflows", r.wire->underflows}});
  return line;
}

Json to_json(const EvaluationRecord& r) {
  return {{"event", "evaluation"},
          {"step", r.step},
          {"epoch", r.epochs},
          {"train_images", r.train.images},
          {"train_loss", mean_loss(r.train)},
          {"train_top1", share(r.train.correct1, r.train.images)},
          {"held_out_images", r.held_out.images},
          {"held_out_loss", mean_loss(r.held_out)},
          {"held_out_top1", share(r.held_out.correct1, r.held_out.images)},
          {"held_out_top5", share(r.held_out.correct5, r.held_out.images)},
          {"correct1", r.held_out.images > 0 ? Json(r.held_out.correct1) : Json(nullptr)},
          {"correct5", r.held_out.images > 0 ? Json(r.held_out.correct5) : Json(nullptr)},
          {"nonfinite", r.held_out.images > 0 ? Json(r.held_out.nonfinite) : Json(nullptr)},
          {"rate", number(r.rate)},
          {"train_s", r.train_seconds},
          {"evaluate_s", r.seconds},
          {"images_per_s",
           r.train_seconds > 0 ? Json(static_cast<double>(r.train.images) / r.train_seconds) : Json(nullptr)},
          {"weights_xxh3", r.digest}};
}

}  // namespace convoy
