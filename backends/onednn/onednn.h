// The CPU backend on oneDNN, 2.6 or 3.x. A plan's primitives are made once, in layouts of the library's choice; all
// values and gradients live in one planned arena, all primitives share one scratchpad. The same thread count gives the
// same bits; another one may not (the library splits the weight gradients' sums by threads). In bf16, maps and
// their gradients are held in 16 bits and multiplied with copies of the weights in 16 bits; the arena (weights, their gradients,
// statistics), dropout and what the loss reads stay f32.
#pragma once

#include <memory>

#include "port/backend.h"

namespace convoy {

// `threads`: OpenMP threads of every call, whatever the environment says. `precision`: f32, or bf16 where the CPU has
// instructions for it; elsewhere an error says that it has none.
std::unique_ptr<Backend> make_onednn(int threads, Precision precision = Precision::f32);

}  // namespace convoy
