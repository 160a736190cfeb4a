// The learning rate of every step, and where epochs end. Samples form one endless stream of epochs: step s
// covers samples [s*B, (s+1)*B) of it, B = workers x images, and an epoch ends in the step in which a
// multiple of N is reached; nothing is dropped. steps = epochs*N/B to the nearest whole: 450,410 for 256
// images and 90 epochs of ImageNet, 14,075 for 8192, 3,519 for 32,768. Warm-up is per step, for s < w:
//   linear     from + (top-from)*s/w      Goyal et al., sec. 2.2 ("gradual"); nvcaffe 0.16_lars; Intel Caffe
//   quadratic  from + (top-from)*(s/w)^2  nvcaffe 0.16 and 0.17
//   constant   from                       Goyal et al., table 1
// top is the peak; with `factors` the first of them times the peak; without a rise there is no warm-up. Afterwards
//   step       peak * factor^k, or peak * factors[k], k = milestones that have been reached when the step starts
//   poly       end + (peak-end)*(1-x)^power;  cosine  end + (peak-end)*(1+cos(pi x))/2
//              x = (s-w)/(steps-w) when shifted (MLPerf), s/steps when continued (nvcaffe: a small drop after
//              warm-up)
#pragma once

#include <cstdint>

#include "train/experiment.h"

namespace convoy {

// What an optimizer asks of a step.
struct StepRates {
  double rate = 0.0, previous_rate = 0.0;  // of this step, and of the one before (of itself at step 0)
  double epoch = 0.0;                      // of the step's first sample, from 0, with its fraction
  bool warmup = false;                     // the schedule's warm-up is not over
};

class Schedule {
 public:
  Schedule(const Experiment& experiment, int64_t training_samples);
  int64_t steps() const { return steps_; }
  int64_t warmup_steps() const { return warmup_; }
  double peak() const { return peak_; }
  double rate(int64_t step) const;
  StepRates at(int64_t step) const;
  // Of the step's first sample, from 0.
  int64_t epoch_of(int64_t step) const { return step * global_ / samples_; }
  double epochs_after(int64_t step) const;         // passed when the step has run
  bool completes(int64_t step, int epochs) const;  // a multiple of `epochs` epochs is reached in it
  bool evaluates(int64_t step) const;              // every train.evaluate_every epochs, and the last step
  int64_t global() const { return global_; }

 private:
  double top() const;  // where the warm-up ends
  ScheduleOptions options_;
  int64_t samples_, global_, steps_ = 0, warmup_ = 0;
  int evaluate_every_;
  double peak_;
};

}  // namespace convoy
