#include "train/loss_scale.h"

#include <algorithm>

namespace convoy {

LossScale::LossScale(const PrecisionOptions& options)
    : sixteen_bits_(options.activations == "fp16"),
      dynamic_(sixteen_bits_ && options.loss_scale == 0),
      growth_steps_(options.growth_steps) {
  state_.value = !sixteen_bits_ ? 1.0f : dynamic_ ? first : static_cast<float>(options.loss_scale);
}

bool LossScale::overflow() {
  if (!dynamic_ || state_.value <= least) return false;
  state_ = {state_.value / 2, 0};
  return true;
}

void LossScale::fits() {
  if (!dynamic_ || ++state_.steps_since < growth_steps_) return;
  state_ = {std::min(2 * state_.value, most), 0};
}

void LossScale::take_up(const State& saved) {
  if (dynamic_ && saved.value > 0) state_ = saved;
}

}  // namespace convoy
