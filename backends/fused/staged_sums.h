// Sums over ranks by MPI of memory that prefers a device: a Communicator whose start_sum() copies the values on a queue of its
// own into pinned memory, starts the inner communicator's sum there when the copy's mark is reached, and copies the sum back.
// So no page leaves the device, MPI sees host memory alone, and the copies of one bucket run beside the sums of another and the
// backward pass. Inner sums start in the order in which they were asked for, on every rank: MPI wants that.
// It owns the pinned memory, as much as there are sums under way at once, from the first step on. The values must be complete on
// the device when start_sum() is called, and the queue's other users have no business with them until the sum is done.
#pragma once

#include <memory>

#include "backends/fused/device.h"
#include "port/communicator.h"

namespace convoy::fused {

std::unique_ptr<Communicator> make_staged_sums(Communicator& inner, std::shared_ptr<Device> device);

}  // namespace convoy::fused
