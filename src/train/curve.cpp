#include "train/curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace convoy {
namespace {

// Averaged in at most 400 groups: a long run's noise does not become a black band.
std::vector<PlotPoint> smooth(std::span<const PlotPoint> steps) {
  const size_t group = (steps.size() + 399) / 400;
  std::vector<PlotPoint> line;
  for (size_t i = 0; i < steps.size(); i += group) {
    const size_t end = std::min(steps.size(), i + group);
    double sum = 0;
    for (size_t j = i; j < end; ++j) sum += steps[j].y;
    line.push_back({steps[end - 1].x, sum / static_cast<double>(end - i)});
  }
  return line;
}

}  // namespace

Curve::Curve(std::string title, int64_t images_per_epoch)
    : title_(std::move(title)), images_per_epoch_(static_cast<double>(images_per_epoch)) {}

void Curve::add(const Json& line) {
  if (line.at("event") == "step" && line.at("loss").is_number()) {
    const double images = (line.at("step").get<double>() + 1) * line.at("images").get<double>();
    loss_.add({images / images_per_epoch_, line.at("loss")});
  }
  if (line.at("event") == "evaluation" && line.at("held_out_top1").is_number())
    top1_.push_back({line.at("epoch"), 100.0 * line.at("held_out_top1").get<double>()});
}

std::string Curve::svg() const {
  std::string accuracy = "held-out top-1";
  if (!top1_.empty()) {
    const auto best = std::max_element(top1_.begin(), top1_.end(),
                                       [](const PlotPoint& a, const PlotPoint& b) { return a.y < b.y; });
    accuracy += fmt::format(", best {:.2f} %, last {:.2f} %", best->y, top1_.back().y);
  }
  return Plot{
      .title = title_,
      .x_label = "epochs",
      .left = {.label = "training loss (nats)", .unit = "", .lines = {{.points = smooth(loss_.values())}}},
      .right = {.label = accuracy, .unit = " %", .lines = {{.points = top1_, .dots = true}}, .high = 100}}
      .svg();
}

}  // namespace convoy
