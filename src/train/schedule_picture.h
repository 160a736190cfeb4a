// What `convoy plan --picture` draws: the learning rate over epochs, and beside it alpha_SGD of an RMSprop warm-up, in the
// form that the job takes (solid) and in the other one (dashed), or the momentum where it is corrected.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/schedule.h"

namespace convoy {

std::string draw_schedule(const Experiment& experiment, const Schedule& schedule);

// Steps worth a line in a table: the first and last, tenths of the way, the end of the warm-up and every jump of the rate.
std::vector<int64_t> telling_steps(const Schedule& schedule);

}  // namespace convoy
