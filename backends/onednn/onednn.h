// The CPU backend on oneDNN, 2.6 or 3.x. A plan's primitives are made once, in layouts of the library's choice; all
// values and gradients live in one planned arena, all primitives share one scratchpad. The same thread count gives the
// same bits; another one may not (the library splits the weight gradients' sums by threads).
#pragma once

#include <memory>

#include "port/backend.h"

namespace convoy {

// `threads`: OpenMP threads of every call, whatever the environment says.
std::unique_ptr<Backend> make_onednn(int threads);

}  // namespace convoy
