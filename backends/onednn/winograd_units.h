// What a thread does at a time: a block of tiles of a convolution, a piece of a weight gradient, a panel of weights.
// Compiled for each instruction set by winograd_avx2.cpp and winograd_avx512.cpp; winograd.cpp deals them out.
#pragma once

#include "backends/onednn/winograd.h"

namespace convoy::onednn::winograd {

// Numbers between the 16 matrices of a scratch: they would lie at multiples of 4096 bytes, and take each other's place in L1.
constexpr int64_t apart = 16;
// Tiles whose products are summed in registers, then added to a piece of a weight gradient: part of its value.
constexpr int64_t gradient_tiles = 64;

struct ForwardUnit {
  const Shape* shape;
  const float *src, *transformed;
  const Tail* tail;
  float* dst;
  int64_t first_tile, tiles;    // of these
  int64_t room;                 // tiles of the scratch, a multiple of Units::rows
  int64_t first_panel, panels;  // of 2 * block outputs
  float* scratch;               // forward_numbers()
};

struct GradientUnit {
  const Shape* shape;
  const float *src, *dst_gradient;
  float* gradient;                // of all weights
  int64_t first_tile, tiles;      // summed over these
  int64_t first_input, inputs;    // multiples of block
  int64_t first_output, outputs;  // multiples of twice that
  float* scratch;                 // gradient_numbers()
};

struct WeightUnit {
  const Shape* shape;
  const float* weights;
  float* transformed;
  int64_t panel;
};

struct Units {
  int64_t block, rows;  // channels of a vector; tiles that are multiplied at a time
  void (*forward)(const ForwardUnit&);
  void (*gradient)(const GradientUnit&);
  void (*transform)(const WeightUnit&);
  void (*transform_turned)(const WeightUnit&);
};
extern const Units avx2, avx512;

inline int64_t forward_numbers(const Units& on, const Shape& shape, int64_t room) {
  return 16 * ((shape.inputs + 2 * on.block) * room + 2 * apart);
}
inline int64_t gradient_numbers(int64_t inputs, int64_t outputs) {
  return 16 * ((inputs + outputs) * gradient_tiles + 2 * apart + inputs * outputs);
}

}  // namespace convoy::onednn::winograd
