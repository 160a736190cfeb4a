// Schedulers that put no job back into the queue (PBS, Flux): a run gets as many jobs as it may need, one after the other,
// called legs. A leg that finds the run ended by an earlier one ends at once with that one's exit code.
#pragma once

#include <string>

#include "launch/request.h"

namespace convoy {

std::string leg_before(const LaunchRequest& request);  // lines
std::string leg_after();
std::string forget_codes(const std::string& scripts);  // of an earlier submission; a line of submit.sh

}  // namespace convoy
