#include "train/schedule_picture.h"

#include <algorithm>
#include <cmath>

#include "train/optimizer.h"
#include "train/plot.h"

namespace convoy {
namespace {

// A rate that falls by more than a tenth from one step to the next, outside the warm-up, has jumped.
bool jumps(const Schedule& schedule, int64_t step) {
  const double now = schedule.rate(step), before = schedule.rate(step - 1);
  return step > schedule.warmup_steps() && std::abs(now - before) > 0.1 * std::max(now, before) &&
         step + 1 < schedule.steps() && schedule.rate(step + 1) == now;
}

// Some 800 points, and both sides of every jump.
template <class F>
std::vector<PlotPoint> sampled(const Schedule& schedule, const F& value_at) {
  std::vector<PlotPoint> points;
  const int64_t steps = schedule.steps(), stride = std::max<int64_t>(1, steps / 800);
  const auto add = [&](int64_t step) {
    points.push_back({schedule.epochs_after(step) - schedule.epochs_after(0), value_at(step)});
  };
  for (int64_t step = 0; step < steps; ++step) {
    const bool jump = step > 0 && jumps(schedule, step);
    if (jump && (step - 1) % stride != 0) add(step - 1);
    if (jump || step % stride == 0 || step + 1 == steps || step == schedule.warmup_steps()) add(step);
  }
  return points;
}

}  // namespace

std::string draw_schedule(const Experiment& experiment, const Schedule& schedule) {
  const Optimizer optimizer = make_optimizer(experiment.optimizer);
  Plot plot{.title = experiment.name, .x_label = "epochs", .left = {.label = "learning rate"}, .right = {}};
  plot.left.lines = {{.points = sampled(schedule, [&](int64_t step) { return schedule.rate(step); })}};
  if (const auto* akiba = std::get_if<RmspropWarmup>(&optimizer)) {
    RmspropWarmup other = *akiba;
    other.literal = !akiba->literal;
    const auto alpha = [&](const RmspropWarmup& form) {
      return sampled(schedule, [&](int64_t step) { return alpha_sgd(form, schedule.at(step).epoch); });
    };
    plot.right.label = akiba->literal ? "alpha_SGD: literal, and continuous (dashed)"
                                      : "alpha_SGD: continuous, and literal (dashed)";
    plot.right.lines = {{.points = alpha(*akiba)}, {.points = alpha(other), .dashed = true}};
    return plot.svg();
  }
  PlotLine momentum{
      .points = sampled(schedule, [&](int64_t step) { return momentum_at(optimizer, schedule.at(step)); })};
  const auto [low, high] =
      std::minmax_element(momentum.points.begin(), momentum.points.end(),
                          [](const PlotPoint& a, const PlotPoint& b) { return a.y < b.y; });
  if (low->y != high->y) {
    plot.right.label = "momentum, corrected";
    plot.right.lines = {std::move(momentum)};
  }
  return plot.svg();
}

std::vector<int64_t> telling_steps(const Schedule& schedule) {
  std::vector<int64_t> steps{0, schedule.steps() - 1};
  for (int i = 1; i < 10; ++i) steps.push_back(schedule.steps() * i / 10);
  if (schedule.warmup_steps() > 0) steps.push_back(schedule.warmup_steps());
  for (int64_t step = 1; step < schedule.steps(); ++step)
    if (jumps(schedule, step)) steps.push_back(step);
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  return steps;
}

}  // namespace convoy
