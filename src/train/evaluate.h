// Exact evaluation: integer counts over exactly the images there are. Batches of b images are dealt over the
// ranks, the last one is padded by the loader (label -1) and masked by the plan; the sums are checked against
// the dataset's size. Collective: every rank calls it and gets the same Totals. Synchronous. Any rank count
// gives the same counts, as every batch holds the same images whoever runs it.
#pragma once

#include <functional>

#include "port/backend.h"
#include "port/communicator.h"
#include "port/loader.h"

namespace convoy {

// `plan` is of a Program lowered with Mode::inference for b = images. `held_out` deals batches as its
// contract says with as many workers as there are ranks: position ((k * ranks) + rank) * b + i in its k-th
// batch. `each`, if given, is called after every batch with the position of its first image.
using BatchSeen = std::function<void(int64_t first, const Batch& batch)>;
Totals evaluate(Plan& plan, Loader& held_out, int images, Communicator& comm, const BatchSeen& each = {});

}  // namespace convoy
