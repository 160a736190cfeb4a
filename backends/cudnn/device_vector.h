// The port's Vector on the GPU, over memory that it can address: the arena's shared memory, and gradients where they came
// to lie in page-locked memory. The formulas are those of backends/common (steps.h, norms.h), element by element, and the
// norms are cut and added as there: the same bits as on the host. Each call returns when its work is done.
#pragma once

#include <memory>

#include "port/backend.h"

namespace convoy::cudnn {

std::unique_ptr<Vector> make_device_vector(int gpu);

}  // namespace convoy::cudnn
