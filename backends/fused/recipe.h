// What a planner makes of a Program, and an executor runs: a straight line of fused operations over numbered tensors.
// The one description that cuDNN's mapper, our kernels and the CPU's interpreter share; it allocates nothing.
#pragma once

#include <string>
#include <vector>

#include "backends/fused/fusion.h"
#include "backends/fused/operation.h"
#include "net/program.h"
#include "port/arena.h"
#include "port/backend.h"

namespace convoy::fused {

struct Instruction {
  int step = 0;  // into Program::steps
  Operation operation;
};

struct Recipe {
  Precision precision = Precision::f32;
  std::vector<Tensor> tensors;
  std::vector<Instruction> refresh;  // when the arena's version has changed: the device's copies of the weights
  std::vector<Instruction> body;     // ascending steps
  std::vector<int> bucket_end;       // by bucket: instructions of the body after which its gradients are in the arena
  // Home::batch. totals: i64 [5] in memory that the host reads: images, correct1, correct5, loss, nonfinite.
  Id images = -1, labels = -1, top_gradient = -1, totals = -1;
  std::vector<Id> values, gradients;  // by node; -1 where fusion hides it
  std::vector<std::string> notes;     // by step: printed where it has no instruction of its own ("fused into ...")
};

// Fusion::norms: convolutions by themselves; BN (+ add) + ReLU and its backward in one operation each: works in every
// precision. Fusion::main_loop: training where mainloop.h's conditions are met, the rest as before.
// Channels are padded to `align` elements (8 for 16-bit types, 4 for f32, 1 on the CPU where parity is exact).
Recipe plan(const Program& program, Arena& arena, const CompileOptions& options, Precision precision,
            int align, Fusion fusion = Fusion::norms);

}  // namespace convoy::fused
