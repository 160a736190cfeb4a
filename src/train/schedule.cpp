#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace convoy {

Schedule::Schedule(const Experiment& e, int64_t training_samples)
    : options_(e.schedule),
      samples_(training_samples),
      global_(e.minibatch.global()),
      evaluate_every_(e.train.evaluate_every) {
  require(samples_ > 0, "the training set {} holds no image", e.data.train.string());
  const double steps_per_epoch = static_cast<double>(samples_) / static_cast<double>(global_);
  steps_ = e.train.steps > 0 ? e.train.steps
                             : std::max<int64_t>(1, std::llround(e.train.epochs * steps_per_epoch));
  warmup_ = options_.warmup_steps > 0 ? options_.warmup_steps
                                      : std::llround(options_.warmup_epochs * steps_per_epoch);
  require(warmup_ == 0 || warmup_ < steps_, Exit::usage,
          "the warm-up of {} steps leaves none of the {} steps of the training: shorten schedule.warmup_epochs "
          "or warmup_steps, or train longer",
          warmup_, steps_);
  const size_t given = options_.factors.size();
  require(options_.kind != "step" || given == 0 || given == options_.milestones.size() + 1, Exit::usage,
          "schedule.factors has {} numbers for {} milestones: give one more than milestones", given,
          options_.milestones.size());
  peak_ = options_.per_images > 0 ? options_.rate * static_cast<double>(global_) / options_.per_images
                                  : options_.rate;
  // Goyal et al. warm up "only for kn > 256", where the rate has to rise.
  if (options_.warmup != "constant" && top() <= options_.warmup_from) warmup_ = 0;
}

double Schedule::top() const {
  return options_.kind == "step" && !options_.factors.empty() ? peak_ * options_.factors[0] : peak_;
}

double Schedule::rate(int64_t step) const {
  const auto s = static_cast<double>(step);
  if (step < warmup_) {
    const double from = options_.warmup_from, w = static_cast<double>(warmup_);
    if (options_.warmup == "constant") return from;
    if (options_.warmup == "quadratic") return from + (top() - from) * (s / w) * (s / w);
    return from + (top() - from) * s / w;
  }
  if (options_.kind == "step") {
    // Compared in samples, so that a milestone takes effect in the first step that starts at or after it.
    const double seen = s * static_cast<double>(global_), n = static_cast<double>(samples_);
    const auto passed = std::count_if(options_.milestones.begin(), options_.milestones.end(),
                                      [&](double milestone) { return seen >= milestone * n; });
    return options_.factors.empty() ? peak_ * std::pow(options_.factor, static_cast<double>(passed))
                                    : peak_ * options_.factors[static_cast<size_t>(passed)];
  }
  if (options_.kind == "constant") return peak_;
  const auto skipped = static_cast<double>(options_.decay == "shifted" ? warmup_ : 0);
  const double x = (s - skipped) / (static_cast<double>(steps_) - skipped);
  const double left = options_.kind == "poly" ? std::pow(1.0 - x, options_.power)
                                              : 0.5 * (1.0 + std::cos(std::numbers::pi * x));
  return options_.end_rate + (peak_ - options_.end_rate) * left;
}

StepRates Schedule::at(int64_t step) const {
  return {.rate = rate(step),
          .previous_rate = rate(std::max<int64_t>(step - 1, 0)),
          .epoch = static_cast<double>(step * global_) / static_cast<double>(samples_),
          .warmup = step < warmup_};
}

double Schedule::epochs_after(int64_t step) const {
  return static_cast<double>((step + 1) * global_) / static_cast<double>(samples_);
}

bool Schedule::completes(int64_t step, int epochs) const {
  const int64_t images = samples_ * epochs;
  return images > 0 && (step + 1) * global_ / images > step * global_ / images;
}

bool Schedule::evaluates(int64_t step) const {
  return step + 1 == steps_ || completes(step, evaluate_every_);
}

}  // namespace convoy
