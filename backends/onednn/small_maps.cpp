#include "backends/onednn/small_maps.h"

#include <algorithm>
#include <array>

namespace convoy::onednn {
namespace {

// The weights of an output and a block of inputs, tap by tap: [taps][block]. What is strided by taps in their memory is
// then moved in vectors.
using Piece = std::array<float, max_taps * max_block>;

// visit(tap, element) for each run of t.from.block elements of row (o, p), p ascending, then q.
template <class Visit>
void visit_pairs(const Toeplitz& t, int64_t o, int64_t input, const Visit& visit) {
  for (int64_t p = 0; p < t.to.pixels; ++p) {
    const int64_t row = t.to.at(o, p) * t.columns();
    for (int64_t q = 0; q < t.from.pixels; ++q)
      visit(t.tap[static_cast<size_t>(p * t.from.pixels + q)], row + t.from.at(input, q));
  }
}

}  // namespace

void expand(const Toeplitz& t, const float* weights, float* matrix) {
  const int64_t block = t.from.block;
#pragma omp parallel for schedule(static)
  for (int64_t o = 0; o < t.outputs; ++o) {
    Piece piece;
    for (int64_t i = 0; i < t.inputs; i += block) {
      const float* from = weights + (o * t.inputs + i) * t.taps;
      for (int64_t j = 0; j < block; ++j)
        for (int64_t k = 0; k < t.taps; ++k) piece[static_cast<size_t>(k * block + j)] = from[j * t.taps + k];
      visit_pairs(t, o, i, [&](int64_t tap, int64_t element) {
        if (tap < 0)
          std::fill_n(matrix + element, block, 0.0f);
        else
          std::copy_n(piece.data() + tap * block, block, matrix + element);
      });
    }
  }
}

void fold(const Toeplitz& t, const float* matrix, float* weights) {
  const int64_t block = t.from.block;
#pragma omp parallel for schedule(static)
  for (int64_t o = 0; o < t.outputs; ++o) {
    Piece piece;
    for (int64_t i = 0; i < t.inputs; i += block) {
      std::fill_n(piece.data(), t.taps * block, 0.0f);
      visit_pairs(t, o, i, [&](int64_t tap, int64_t element) {
        if (tap < 0) return;
        float* sums = piece.data() + tap * block;
        for (int64_t j = 0; j < block; ++j) sums[j] += matrix[element + j];
      });
      float* to = weights + (o * t.inputs + i) * t.taps;
      for (int64_t j = 0; j < block; ++j)
        for (int64_t k = 0; k < t.taps; ++k) to[j * t.taps + k] = piece[static_cast<size_t>(k * block + j)];
    }
  }
}

}  // namespace convoy::onednn
