// Element bodies: between the caller's canonical f32 memory (NCHW images, OIHW weights, vectors) and the plan's NHWC
// tensors. body(i) computes element i of what it writes; padded elements become zero.
#pragma once

#include "backends/fused/portable.h"

namespace convoy::fused {

template <class T>
struct PackMapsBody {  // f32 NCHW of `channels` -> NHWC of c, times *scale where there is one
  const float* from;
  T* to;
  int h, w, c, channels;
  const float* scale;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Coordinates at = place_of(i, h, w, c);
    float value = 0;
    if (at.c < channels) {
      value = from[((static_cast<int64_t>(at.n) * channels + at.c) * h + at.h) * w + at.w];
      if (scale != nullptr) value *= *scale;
    }
    store(to[i], value);
  }
};

// A filter of `outputs` x (channels of a group) in both layouts. groups > 1: the KRSC side is the dense filter that has
// the groups' blocks on its diagonal and zeros elsewhere.
struct FilterShape {
  int outputs, group_channels, h, w, c, groups;  // c: of the KRSC side, padded
  // Where a group's channels begin in row k of the KRSC side.
  CONVOY_PORTABLE int first_channel(int k) const {
    return groups == 1 ? 0 : k / (outputs / groups) * group_channels;
  }
};

template <class T>
struct PackWeightsBody {  // OIHW -> KRSC
  const float* from;
  T* to;
  FilterShape shape;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Coordinates at = place_of(i, shape.h, shape.w, shape.c);
    float value = 0;
    if (at.n < shape.outputs) {
      const int channel = at.c - shape.first_channel(at.n);
      if (channel >= 0 && channel < shape.group_channels)
        value =
            from[((static_cast<int64_t>(at.n) * shape.group_channels + channel) * shape.h + at.h) * shape.w +
                 at.w];
    }
    store(to[i], value);
  }
};

template <class T>
struct UnpackWeightsBody {  // KRSC -> OIHW, divided by *loss_scale
  const T* from;
  float* to;
  FilterShape shape;
  const float* loss_scale;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Split column = split(i, shape.w), row = split(column.rest, shape.h);
    const Split channel = split(row.rest, shape.group_channels);
    const int k = static_cast<int>(channel.rest);
    const int64_t at = (static_cast<int64_t>(k) * shape.h + row.last) * shape.w + column.last;
    to[i] = load(from[at * shape.c + shape.first_channel(k) + channel.last]) / *loss_scale;
  }
};

constexpr int most_vectors = 32;  // in one launch
struct Vectors {
  const float* at[most_vectors];
  int count;
  CONVOY_PORTABLE double sum(int64_t i) const {
    double total = 0;
    for (int v = 0; v < count; ++v) total += static_cast<double>(at[v][i]);
    return total;
  }
};

struct UnpackVectorsBody {  // to[i] = [to[i] +] sum / loss scale
  Vectors from;
  float* to;
  const float* loss_scale;
  bool adds;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    const double sum = from.sum(i) / static_cast<double>(*loss_scale);
    to[i] = static_cast<float>(adds ? static_cast<double>(to[i]) + sum : sum);
  }
};

}  // namespace convoy::fused
