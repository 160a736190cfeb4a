#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/markup.h"
#include "report/chart.h"
#include "report/html_parts.h"

namespace convoy::report {
namespace {

constexpr size_t most_points = 240, most_rows = 12;

std::string figure(const std::string& drawing, const std::string& title, const std::string& caption,
                   const std::string& key) {
  if (drawing.empty()) return "";
  return fmt::format("<figure>\n{}<figcaption><b>{}</b>{} {}</figcaption>\n</figure>\n", drawing,
                     escape_markup(title), escape_markup(caption), key);
}

std::string key_of(const Comparison& comparison) {
  std::string key;
  for (size_t i = 0; i < comparison.sides.size(); ++i)
    key += (i == 0 ? "" : ", ") + swatch(i, comparison.sides[i].label) + " " +
           escape_markup(comparison.sides[i].name);
  return key + ".";
}

// A long run's noise does not become a black band.
std::vector<Point> averaged(const std::vector<Point>& points) {
  const size_t group = (points.size() + most_points - 1) / most_points;
  std::vector<Point> line;
  for (size_t i = 0; i < points.size(); i += group) {
    const size_t end = std::min(points.size(), i + group);
    double sum = 0;
    for (size_t j = i; j < end; ++j) sum += points[j].value;
    line.push_back({points[end - 1].images, sum / static_cast<double>(end - i)});
  }
  return line;
}

// Calls draw(side, run, letter): the first run of a side has its letter.
template <class Draw>
void for_each_run(const Comparison& comparison, const Draw& draw) {
  for (size_t side = 0; side < comparison.sides.size(); ++side)
    for (size_t i = 0; i < comparison.sides[side].runs.size(); ++i)
      draw(side, comparison.runs[comparison.sides[side].runs[i]], i == 0 ? comparison.sides[side].label : "");
}

const Row* row_named(const Comparison& comparison, const std::string& name) {
  const auto found = std::ranges::find(comparison.rows, name, &Row::name);
  return found == comparison.rows.end() ? nullptr : &*found;
}

}  // namespace

std::string loss_figure(const Comparison& comparison) {
  LineChart chart{.title = "Training loss over samples seen",
                  .x_label = "training samples seen",
                  .y_label = "loss (nats)"};
  size_t longest = 0;
  for_each_run(comparison, [&](size_t side, const Run& run, const std::string& letter) {
    if (const Curve* curve = run.curve("train_loss")) {
      chart.series.push_back({side, letter, averaged(curve->points)});
      longest = std::max(longest, curve->points.size());
    }
  });
  const std::string how = longest > most_points
                              ? fmt::format("Steps averaged, {} of the longest run to a point.",
                                            (longest + most_points - 1) / most_points)
                              : "One point a step.";
  return figure(svg(chart), chart.title, how, key_of(comparison));
}

std::string accuracy_figure(const Comparison& comparison) {
  bool epochs = true;
  for (const Run& run : comparison.runs)
    for (const Evaluation& evaluation : run.evaluations)
      epochs = epochs && (evaluation.epoch || !evaluation.top1);
  LineChart chart{.title = epochs ? "Held-out top-1 over epochs" : "Held-out top-1 over samples seen",
                  .x_label = epochs ? "epochs" : "training samples seen",
                  .y_label = "top-1 (%)",
                  .unit = " %",
                  .dots = true};
  for_each_run(comparison, [&](size_t side, const Run& run, const std::string& letter) {
    Series series{side, letter, {}};
    if (epochs) {
      for (const Evaluation& evaluation : run.evaluations)
        if (evaluation.top1) series.points.push_back({*evaluation.epoch, 100 * *evaluation.top1});
    } else if (const Curve* curve = run.curve("held_out_top1")) {
      for (const Point& point : curve->points) series.points.push_back({point.images, 100 * point.value});
    }
    chart.series.push_back(std::move(series));
  });
  return figure(svg(chart), chart.title, "Share of the held-out images whose first guess is right.",
                key_of(comparison));
}

std::string step_time_figure(const Comparison& comparison) {
  const Row* row = row_named(comparison, "images_per_s");
  if (row == nullptr) return "";
  // A step's time where all steps are of the same images, else the time of as many.
  const int64_t minibatch = comparison.runs.front().global_minibatch.value_or(0);
  const bool equal = minibatch > 0 && std::ranges::all_of(comparison.runs, [minibatch](const Run& run) {
                       return run.global_minibatch.value_or(0) == minibatch;
                     });
  const double images = equal ? static_cast<double>(minibatch) : 1000;
  const std::string of = fmt::format("{:.0f} images", images);
  SpreadChart chart{.title = equal ? "Time of a step" : "Time of 1000 images",
                    .x_label = "seconds for " + of};
  for_each_run(comparison, [&](size_t side, const Run& run, const std::string& letter) {
    const Quantity* speed = run.quantity("images_per_s");
    if (speed == nullptr || speed->samples.empty() || chart.rows.size() == most_rows) return;
    Spread spread{side, letter.empty() ? comparison.sides[side].label : letter, {}, images / speed->value};
    for (const double sample : speed->samples) spread.values.push_back(images / sample);
    if (const auto& interval = row->cells.at(side).interval)
      spread.interval = Interval{images / interval->high, images / interval->low};
    spread.label += fmt::format(": {:.4g} s, median of {} steps", spread.median, spread.values.size());
    chart.rows.push_back(std::move(spread));
  });
  return figure(
      svg(chart), chart.title,
      "Bars: how often a step took so long, without the slowest fiftieth. Mark: the median, and its 95 % interval.",
      key_of(comparison));
}

std::string step_parts_figure(const Comparison& comparison) {
  constexpr std::array parts{&StepParts::data_wait, &StepParts::compute, &StepParts::communication_exposed,
                             &StepParts::optimizer};
  BarChart chart{.title = "Where a step's time goes",
                 .x_label = "seconds a step",
                 .parts = {"data", "compute", "exposed communication", "optimizer"}};
  for (size_t side = 0; side < comparison.sides.size(); ++side) {
    Bar bar{side, comparison.sides[side].label, std::vector<double>(parts.size())};
    double runs = 0;
    for (const size_t index : comparison.sides[side].runs)
      if (const auto& spent = comparison.runs[index].step_parts) {
        for (size_t part = 0; part < parts.size(); ++part)
          bar.parts[part] += std::max(0.0, (*spent).*parts[part]);
        ++runs;
      }
    for (double& seconds : bar.parts) seconds /= runs;
    if (runs > 0) chart.bars.push_back(std::move(bar));
  }
  std::string key;
  for (size_t part = 0; part < parts.size(); ++part)
    key += fmt::format("{}<span class=\"p{}\">■</span> {}", part == 0 ? "" : ", ", part, chart.parts[part]);
  return figure(
      svg(chart), chart.title,
      "Mean over the ranks of their median steps. Data: waiting for images. Exposed communication: waiting for "
      "the sum of gradients after the backward pass.",
      key + ". " + key_of(comparison));
}

}  // namespace convoy::report
