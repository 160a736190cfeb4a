// What a run that goes on takes from the run before it: its folder, and what it was computed with, as a plain --resume
// computes as the run did or the bits would differ from an undisturbed run's. Flags win.
#pragma once

#include <string>

#include "cli/train_flags.h"
#include "port/backend.h"
#include "port/communicator.h"

namespace convoy::cli {

// --resume auto: of what is in --out, by rank 0's word.
TrainFlags settled(TrainFlags flags, Communicator& comm);

// What the newest checkpoint of the run that goes on was computed with (train/fingerprint.h); "" where none does.
std::string fingerprint_before(const TrainFlags& flags, Communicator& comm);

PlacementOptions placement_of(const TrainFlags& flags, const std::string& before, int ranks);

// The same of what the devices do with images: decoders differ in their bits. A backend that has none goes on without; that
// its fingerprint is another is said then.
DeviceInput input_wanted(const TrainFlags& flags, const std::string& before, const std::string& backend);

}  // namespace convoy::cli
