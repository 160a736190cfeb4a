// The two ways in which a training step's batch norms are fused (recipe.h says what each writes).
#pragma once

#include <cstdint>

namespace convoy::fused {

enum class Fusion : uint8_t {
  norms,      // batch norm with its addition and ReLU, one operation forward and one backward
  main_loop,  // within the convolutions around it, where they take it: mainloop.h
};

}  // namespace convoy::fused
