// The reference backend: loops a student can check, for every operation, on the CPU. It is the oracle of the parity
// tests; Machine<double> (machine.h) is that of the golden tests. Runs anywhere, results independent of `threads`.
#pragma once

#include <memory>

#include "port/backend.h"

namespace convoy {

std::unique_ptr<Backend> make_reference(int threads);

}  // namespace convoy
