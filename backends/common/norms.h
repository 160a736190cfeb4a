// The definition of a norm's bits, for the host and the GPU alike: squares in double, summed in chunks of 4,096 elements,
// a chunk in 16 lanes (element i into lane i % 16) that are added as a balanced binary tree, as are the chunks' sums.
// `Element`: what is squared, in double, by index.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "backends/common/portable.h"

namespace convoy {

constexpr int64_t norm_chunk = 4096, norm_lanes = 16;

inline int64_t norm_chunks(size_t size) { return (static_cast<int64_t>(size) + norm_chunk - 1) / norm_chunk; }

template <class T>
struct PlainElement {
  const T* x;
  CONVOY_PORTABLE double operator()(int64_t i) const { return static_cast<double>(x[i]); }
};
template <class T>
struct DecayedElement {
  const T *g, *w;
  double scale, decay;
  CONVOY_PORTABLE double operator()(int64_t i) const {
    return scale * static_cast<double>(g[i]) + decay * static_cast<double>(w[i]);
  }
};

CONVOY_PORTABLE inline double sum_of_lanes(double* sums) {  // overwrites them
  for (int64_t half = norm_lanes / 2; half > 0; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  return sums[0];
}

// Chunk i / 16's lane i % 16, for the GPU: one thread each.
template <class Element>
struct LaneNormBody {
  Element element;
  double* lanes;
  int64_t size;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const int64_t chunk = i / norm_lanes, begin = chunk * norm_chunk + i % norm_lanes;
    const int64_t end = size < (chunk + 1) * norm_chunk ? size : (chunk + 1) * norm_chunk;
    double sum = 0;
    for (int64_t at = begin; at < end; at += norm_lanes) {
      const double value = element(at);
      sum += value * value;
    }
    lanes[i] = sum;
  }
};
struct ChunkNormBody {
  double *lanes, *chunks;
  CONVOY_PORTABLE void operator()(int64_t chunk) const {
    chunks[chunk] = sum_of_lanes(lanes + chunk * norm_lanes);
  }
};

// Of the elements [begin, end) of one chunk, for the host: all lanes at a time.
template <class Element>
double chunk_norm(int64_t begin, int64_t end, const Element& element) {
  double sums[norm_lanes] = {};
  int64_t i = begin;
  for (; i + norm_lanes <= end; i += norm_lanes)
    for (int64_t lane = 0; lane < norm_lanes; ++lane) {
      const double value = element(i + lane);
      sums[lane] += value * value;
    }
  for (int64_t lane = 0; i + lane < end; ++lane) {
    const double value = element(i + lane);
    sums[lane] += value * value;
  }
  return sum_of_lanes(sums);
}

inline double sum_of_chunks(const double* sums, int64_t count) {
  if (count == 0) return 0.0;
  if (count == 1) return sums[0];
  const int64_t left = count / 2;
  return sum_of_chunks(sums, left) + sum_of_chunks(sums + left, count - left);
}

}  // namespace convoy
