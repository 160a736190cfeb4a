#include "report/reference_points.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "report/json_file.h"
#include "report/statistics.h"

namespace convoy::report {
namespace {

constexpr double imagenet_images = 1281167;

struct Expected {
  double mean = 0, sd = 0;
  size_t seeds = 0;
};

// The best and the worst of at least five are left out.
std::vector<double> olympic(std::vector<double> values) {
  std::ranges::sort(values);
  if (values.size() >= 5) values = {values.begin() + 1, values.end() - 1};
  return values;
}

Expected expected_of(const ReferencePoint& point) {
  const std::vector<double> kept = olympic(point.epochs);
  const double middle = mean(kept);
  const double squares = std::accumulate(kept.begin(), kept.end(), 0.0, [&](double sum, double value) {
    return sum + (value - middle) * (value - middle);
  });
  return {middle, std::sqrt(squares / static_cast<double>(kept.size())), kept.size()};
}

Expected expected_at(const std::vector<ReferencePoint>& points, int64_t minibatch) {
  const auto above = std::ranges::lower_bound(points, minibatch, {}, &ReferencePoint::minibatch);
  if (above == points.begin() || above->minibatch == minibatch) return expected_of(*above);
  const Expected low = expected_of(*(above - 1)), high = expected_of(*above);
  const double share = static_cast<double>(minibatch - (above - 1)->minibatch) /
                       static_cast<double>(above->minibatch - (above - 1)->minibatch);
  return {std::lerp(low.mean, high.mean, share), std::lerp(low.sd, high.sd, share),
          std::min(low.seeds, high.seeds)};
}

bool speaks_of(const Run& run) {
  const std::string *model = find(run.task, "network.model"), *images = find(run.task, "train_images");
  return model != nullptr && *model == "\"resnet50\"" && images != nullptr &&
         *images == fmt::format("{}", static_cast<int64_t>(imagenet_images));
}

std::optional<double> epochs_to(const Run& run, double target) {
  for (const Evaluation& evaluation : run.evaluations)
    if (evaluation.epoch && evaluation.top1 && *evaluation.top1 >= target) return evaluation.epoch;
  return {};
}

ReferenceOutcome check(const Comparison& comparison, size_t index, const ReferenceOptions& options,
                       const std::vector<ReferencePoint>& points) {
  const Side& side = comparison.sides[index];
  ReferenceOutcome outcome{.side = index};
  outcome.minibatch = comparison.runs[side.runs.front()].global_minibatch.value_or(0);
  std::vector<double> epochs;
  size_t failed = 0;
  for (const size_t run : side.runs) {
    if (comparison.runs[run].global_minibatch.value_or(0) != outcome.minibatch || outcome.minibatch <= 0) {
      outcome.words = "its runs have no one minibatch";
      return outcome;
    }
    if (const auto reached = epochs_to(comparison.runs[run], options.target))
      epochs.push_back(*reached);
    else
      ++failed;
  }
  if (outcome.minibatch > points.back().minibatch) {
    outcome.words = fmt::format("no reference beyond a minibatch of {}", points.back().minibatch);
    return outcome;
  }
  outcome.applies = true;
  const Expected reference = expected_at(points, outcome.minibatch);
  outcome.reference_mean = reference.mean;
  // One run of several may miss the target, and is then the worst, which is left out.
  if (epochs.empty() || failed > (side.runs.size() >= 5 ? 1U : 0U)) {
    outcome.words =
        fmt::format("{} of {} runs did not reach top-1 {:.2f} %; the reference needs {:.1f} epochs", failed,
                    side.runs.size(), 100 * options.target, reference.mean);
    return outcome;
  }
  if (failed > 0) epochs.push_back(1e9);
  const std::vector<double> kept = olympic(epochs);
  outcome.epochs = mean(kept);
  const auto n = static_cast<double>(reference.seeds), m = static_cast<double>(kept.size());
  outcome.least_epochs =
      reference.mean - student_quantile(0.95, n + m - 2) * reference.sd * std::sqrt(1 / n + 1 / m);
  outcome.passes = outcome.epochs >= outcome.least_epochs;
  outcome.words = fmt::format(
      "{:.2f} epochs to top-1 {:.2f} % over {} run{}; the reference at a minibatch of {}: {:.2f}, at least {:.2f} pass: {}{}",
      outcome.epochs, 100 * options.target, side.runs.size(), side.runs.size() == 1 ? "" : "s",
      outcome.minibatch, reference.mean, outcome.least_epochs,
      outcome.passes ? "not faster than the reference" : "FASTER than the reference",
      outcome.minibatch < points.front().minibatch
          ? fmt::format(" (its smallest point, {}, stands in)", points.front().minibatch)
          : "");
  return outcome;
}

}  // namespace

const std::vector<ReferencePoint>& mlperf_resnet50() {
  static const std::vector<ReferencePoint> points{
      {1632, {34, 34, 34, 35, 35, 37, 35, 35, 33, 35, 35, 37, 37, 35, 35, 34, 35}},
      {3264, {36, 35, 34, 34, 36, 35, 35, 35, 35, 37, 35, 35, 35, 36, 35}},
      {4096, {39, 42, 40, 41, 39, 40, 41, 39, 40, 39}},
      {8192, {42, 44, 43, 41, 41, 41, 42, 42, 43, 41}},
      {13056, {46, 46, 44, 46, 45, 46, 45, 45, 45, 46}},
      {32768, {56, 56, 55, 56, 56, 56, 56, 56, 57, 56}},
      {49152, {68, 68, 68, 68, 69, 68, 68, 67, 69, 67}},
      {58880, {80, 81, 80, 78, 80, 80, 81, 79, 80, 80}},
      {65536, {83, 85, 84, 86, 85, 85, 83, 84, 85, 85}},
      {67840, {86, 87, 86, 87, 86, 85, 86, 86, 86, 85, 86, 86, 86, 86,
               86, 85, 86, 86, 87, 85, 85, 86, 85, 87, 86, 85, 85, 86}}};
  return points;
}

std::vector<ReferencePoint> read_reference_points(const std::filesystem::path& file) {
  const auto json = parse(read_file(file));
  std::vector<ReferencePoint> points;
  if (json && json->is_object())
    for (const auto& item : json->items()) {
      const auto minibatch = integer(item.value(), "BS");
      ReferencePoint point{minibatch.value_or(0)};
      for (const Json& epochs : list(item.value(), "Epochs to converge"))
        if (const auto value = number(epochs, ""); value && *value > 0) point.epochs.push_back(*value);
      if (point.minibatch > 0 && point.epochs.size() >= 2) points.push_back(std::move(point));
    }
  require(
      !points.empty(), Exit::usage,
      "{} holds no reference points: give JSON like MLPerf's rcps_resnet.json, {{\"name\": {{\"BS\": 4096, \"Epochs to "
      "converge\": [39, 42, ...]}}}}",
      file.string());
  std::ranges::sort(points, {}, &ReferencePoint::minibatch);
  return points;
}

void check_references(Comparison& comparison, const ReferenceOptions& options) {
  const bool own = !options.points.empty();
  for (size_t side = 0; side < comparison.sides.size(); ++side) {
    const auto& runs = comparison.sides[side].runs;
    if (!own && !std::ranges::all_of(runs, [&](size_t run) { return speaks_of(comparison.runs[run]); }))
      continue;
    comparison.references.push_back(
        check(comparison, side, options, own ? options.points : mlperf_resnet50()));
  }
}

}  // namespace convoy::report
