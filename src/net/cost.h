// What a step must compute and move, by definition of the operation and whatever the implementation: the yardstick for
// rooflines and for "2 x 4.09 G multiply-adds". Multiply and add are counted separately, a comparison or an exp as one.
// Bytes are the least traffic in f32: every input read once, every output written once.
#pragma once

#include <cstdint>

#include "net/program.h"

namespace convoy {

struct Cost {
  int64_t flops = 0, bytes = 0;
  Cost& operator+=(Cost other) {
    flops += other.flops;
    bytes += other.bytes;
    return *this;
  }
};

struct PassCosts {
  Cost forward, backward;
};

Cost cost_of(const Program& program, Step step);  // over all images of the minibatch
PassCosts cost_of(const Program& program);

// Of convolutions and linear layers, one image forward: the number that papers call "FLOPs".
int64_t multiply_adds(const Graph& graph);

}  // namespace convoy
