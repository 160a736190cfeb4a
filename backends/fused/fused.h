// The fused backend: plans of the fused operations (planner.h) on a Device, in the precision that was asked for. On the
// host device it is the model of what the GPU computes, operation by operation; results do not depend on threads.
#pragma once

#include <memory>
#include <string>

#include "backends/fused/fused_plan.h"
#include "backends/fused/host_device.h"
#include "port/backend.h"

namespace convoy {

std::unique_ptr<Backend> make_fused(std::string name, std::shared_ptr<fused::Device> device,
                                    const fused::FusedOptions& options = {});

// On the host, as "fused" or "fused-mainloop". Every precision is computed there: f32 arithmetic on values rounded to it.
std::unique_ptr<Backend> make_fused(int threads, Precision precision = Precision::f32,
                                    fused::Fusion fusion = fused::Fusion::norms,
                                    DeviceInput input = DeviceInput::planes);

}  // namespace convoy
