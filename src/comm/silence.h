// The sentence that names the ranks that do not answer any more (comm/roll_call.h).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "port/communicator.h"

namespace convoy {

// "no sign of life within 5 s from rank 3 on node7: ...", after a wait of `waited`; hosts by rank. Takes up to 5 seconds.
std::string name_the_silent(Communicator& communicator, const std::vector<std::string>& hosts,
                            std::chrono::milliseconds waited);

}  // namespace convoy
