// Batch normalization of bf16 maps (Ioffe and Szegedy 2015, Alg. 1), with a following ReLU, in two passes over a map forward and two
// backward: mean and variance come out of one, as sums of distances from a value of the channel's own, and what the ReLU has
// cut off is told by the sign that forward arithmetic gives again, so that nothing is kept for it. Numbers are f32 in between.
//
// Threads share images and stripes of channels, down to 16 of them; sums are per image, then over images in their order, in double:
// the same bits whatever the threads. A variance is within 2^-23 (1 + (p - mean)^2 / variance) of exact, p being the mean of a few
// pixels of the first image.
#pragma once

#include <cstddef>
#include <cstdint>

namespace convoy::onednn {

// [images][channels / block][pixels][block]; NHWC: a block of all channels.
struct NormMaps {
  int64_t images = 0, channels = 0, pixels = 0, block = 0;
  int64_t elements() const { return images * channels * pixels; }
};

// Of each channel, [channels]; scale and shift may be null: 1 and 0.
struct NormFactors {
  const float *mean, *variance, *scale, *shift;
  float epsilon;
  bool relu;
};

// Numbers of f32 that each of these takes as scratch.
size_t norm_scratch(const NormMaps& maps);

void norm_statistics(const NormMaps& maps, const uint16_t* src, float* mean, float* variance, float* scratch);
void normalize(const NormMaps& maps, const NormFactors& by, const uint16_t* src, uint16_t* dst,
               float* scratch);
// d_scale and d_shift may be null; d_src may be d_dst.
void norm_gradient(const NormMaps& maps, const NormFactors& by, const uint16_t* src, const uint16_t* d_dst,
                   uint16_t* d_src, float* d_scale, float* d_shift, float* scratch);

}  // namespace convoy::onednn
