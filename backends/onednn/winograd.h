// Convolutions of 3 x 3 taps with stride 1 by Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray 2015, "Fast Algorithms for
// Convolutional Neural Networks", eq. 13-15): of a tile of 2 x 2 outputs, 16 products where the definition takes 36, as 16
// matrix products over tiles, inputs and outputs.
//   forward   Y = A^T [ sum over inputs of (G g G^T) . (B^T d B) ] A       d: the 4 x 4 inputs of a tile
//   gradients by the same transforms: of the maps, forward with the taps turned and inputs and outputs exchanged; of the
//   weights, dg = G^T [ sum over tiles of (A dY A^T) . (B^T d B) ] G
// All factors are 0, 1 or 1/2, so that sums of small integers are exact, and errors are about those of direct sums: 4 more
// roundings a product. Everything between the maps stays in a core's L2 cache, a block of tiles at a time.
//
// Maps are f32 in channel blocks (oneDNN's nChw16c with AVX-512, nChw8c with AVX2) or NHWC; weights O I 3 3. Sums over inputs are in one
// order whatever the blocks and threads; sums over tiles are of `segments` of them, a number that follows from shape and threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace convoy::onednn::winograd {

struct Shape {
  int64_t images = 0, inputs = 0, outputs = 0, height = 0, width = 0;  // of the source
  int64_t padding = 1;                                                 // 0 to 2, on all sides
  bool channels_last = false;  // the maps' layout, not in channel blocks
  int64_t out_height() const { return height + 2 * padding - 2; }
  int64_t out_width() const { return width + 2 * padding - 2; }
  int64_t tiles_down() const { return (out_height() + 1) / 2; }
  int64_t tiles_across() const { return (out_width() + 1) / 2; }
  int64_t tiles() const { return images * tiles_down() * tiles_across(); }
  Shape of_data_gradient() const {  // its source is the gradient of the outputs
    return {images, outputs, inputs, out_height(), out_width(), 2 - padding, channels_last};
  }
  size_t transformed_weights() const { return static_cast<size_t>(16 * inputs * outputs); }  // numbers
};

// What follows in the same pass over the outputs; null: nothing.
struct Tail {
  const float* bias = nullptr;      // [outputs]
  const float* residual = nullptr;  // added, in the outputs' layout
  bool relu = false;
};

// One instruction set's loops (winograd_units.h). For oneDNN's name of one ("avx2", "avx512_core"): null where there are none.
struct Units;
const Units* units_for(std::string_view isa);
int64_t block_of(const Units& on);  // channels of a block of the maps
bool fits(const Units& on, const Shape& shape);

// What the others take as `transformed`, of shape.transformed_weights() numbers; `turned` for the data gradient of `shape`'s
// convolution, which is forward() of shape.of_data_gradient().
void transform(const Units& on, const Shape& shape, const float* weights, float* transformed);
void transform_turned(const Units& on, const Shape& shape, const float* weights, float* transformed);

// Each output's weights times its factor.
void scale(const Units& on, const Shape& shape, std::span<const float> factors, float* transformed);

// What the loops below are dealt out to. How is part of no value but for `threads` in a weight gradient.
struct Cores {
  int threads = 1;
  int64_t l2_bytes = 0;  // of one; 0: this machine's
};
// Scratch: numbers, 64-byte aligned, whose content is not kept.
size_t forward_scratch(const Units& on, const Shape& shape, const Cores& cores);
void forward(const Units& on, const Shape& shape, const float* src, const float* transformed,
             const Tail& tail, float* dst, float* scratch, const Cores& cores);
size_t weight_gradient_scratch(const Units& on, const Shape& shape, const Cores& cores);
void weight_gradient(const Units& on, const Shape& shape, const float* src, const float* dst_gradient,
                     float* gradient, float* scratch, const Cores& cores);

}  // namespace convoy::onednn::winograd
