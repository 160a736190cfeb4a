// Convolutions of maps so small that a kernel covers all of one (3x3 on 2x2 and on 1x1 pixels: ResNet-18's last blocks on
// images of 64 and 32 pixels) as one matrix product y = M x: direct kernels work along rows, of which there is next to nothing, and
// load each weight for a pixel or two.
//   M[(o, p)][(i, q)] = W[o][i][tap of input pixel q seen from output pixel p], 0 where the window does not reach q
// M is the doubly blocked Toeplitz matrix of W. Its gradient is folded back: dW[o][i][tap] is the sum of all dM that stand for it,
// in a fixed order, whatever the threads. Features are counted as an image's memory has them, so that maps are not moved.
#pragma once

#include <cstdint>
#include <vector>

namespace convoy::onednn {

constexpr int64_t max_taps = 128, max_block = 16;  // of one Toeplitz

// Where an image's value (channel, pixel) lies: channels in blocks; 1: plain CHW.
struct FeatureOrder {
  int64_t block = 1, pixels = 1;
  int64_t at(int64_t channel, int64_t pixel) const {
    return (channel / block * pixels + pixel) * block + channel % block;
  }
};

struct Toeplitz {
  int64_t outputs = 0, inputs = 0, taps = 0;  // weights: [outputs][inputs][taps]
  FeatureOrder to, from;
  std::vector<int64_t> tap;  // [to.pixels][from.pixels]; -1: none

  int64_t rows() const { return outputs * to.pixels; }
  int64_t columns() const { return inputs * from.pixels; }
};

void expand(const Toeplitz& t, const float* weights, float* matrix);
void fold(const Toeplitz& t, const float* matrix, float* weights);

}  // namespace convoy::onednn
