// The factor on the loss that keeps fp16's small gradients from vanishing (Micikevicius et al. 2018, "Mixed precision
// training", sec. 3.2 and 5): a power of two, so that taking it out again is exact. Dynamic: halved where the summed
// gradients overflow, and that step is left out; doubled after so many steps without. It looks at sums over all ranks
// alone and is the same on each; checkpoints carry it. 1 for every precision that needs none.
#pragma once

#include <cstdint>

#include "train/experiment.h"

namespace convoy {

class LossScale {
 public:
  static constexpr float first = 0x1p16f, least = 1.0f, most = 0x1p24f;
  struct State {
    float value = 0;          // 0: not known, as in checkpoints older than it
    int64_t steps_since = 0;  // the last change, without overflow
    bool operator==(const State&) const = default;
  };

  explicit LossScale(const PrecisionOptions& options);
  float value() const { return state_.value; }
  bool matters() const { return sixteen_bits_; }
  // The step's gradients overflowed, its loss did not. True: halved, leave the step out and go on; false: no scale helps.
  bool overflow();
  void fits();  // the step was taken
  State state() const { return state_; }
  void take_up(const State& saved);

 private:
  bool sixteen_bits_, dynamic_;
  int64_t growth_steps_;
  State state_;
};

}  // namespace convoy
