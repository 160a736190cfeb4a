// HostCopies over a Device: pinned memory, and a queue of its own for each way, so that what is put does not wait for what is
// fetched.
#pragma once

#include <memory>

#include "backends/fused/device.h"
#include "port/host_copies.h"

namespace convoy::fused {

std::unique_ptr<HostCopies> make_host_copies(std::shared_ptr<Device> device);

}  // namespace convoy::fused
