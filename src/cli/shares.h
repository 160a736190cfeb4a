// --shares: how many workers each rank runs, where the ranks' hardware differs. Unequal shares are summed exactly, as
// workers are alike and each counts once; the library's sum takes them, and the result's claim is "repeatable".
#pragma once

#include <string>
#include <vector>

#include "cli/voice.h"
#include "port/backend.h"
#include "port/communicator.h"
#include "train/experiment.h"

namespace convoy::cli {

// "12,3,1"
std::vector<int> read_shares(const std::string& list);

// By the ranks' speeds, measured now on every rank at once: collective.
std::vector<int> shares_by_speed(const Experiment& experiment, const std::string& road, Backend& backend,
                                 Communicator& comm, const Voice& voice);

}  // namespace convoy::cli
