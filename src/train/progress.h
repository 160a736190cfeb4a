// How far and how fast, for people: on a terminal one line that is rewritten ("\r"), in a batch log a plain
// line every N seconds. Text goes to `out` (standard error) or, as plain lines, to the log.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "base/log.h"
#include "train/record.h"

namespace convoy {

class Progress {
 public:
  enum class Style { none, terminal, lines };
  Progress(Style style, Log log, double every_seconds = 30.0, std::FILE* out = stderr);
  // terminal if `out` is one, lines otherwise.
  static Style detect(std::FILE* out = stderr);

  void start(int64_t first_step, int64_t steps, int64_t images_per_step, int64_t training_samples);
  void step(const StepRecord& record);
  void clear();  // takes the terminal's line away before something else is printed
  // "epoch 1.25/4  step 12/40  loss 2.3456  rate 0.1  312 images/s  left 2 min 10 s"
  std::string line(const StepRecord& record) const;

 private:
  Style style_;
  Log log_;
  double every_;
  std::FILE* out_;
  int64_t first_ = 0, steps_ = 0, images_ = 0, samples_ = 1;
  double smoothed_ = 0.0;  // seconds a step, exponential average
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace convoy
