// Element body: pictures (port/picture.h) to f32 planes: resize, mirror and normalize in one pass, each output pixel from the
// input pixels under its two filters. Pillow rounds to 8 bits between its passes: so does this, for each line of the second
// pass by itself. That is work done again and again for neighbours, a few dozen multiplications a pixel, and saves a buffer.
#pragma once

#include "backends/fused/portable.h"

namespace convoy::fused {

struct PictureSideRecord {
  const int32_t *first, *weights;  // [side], [side][taps]
  int32_t taps;
};

struct PictureRecord {
  const uint8_t* rgb;  // null: padding, whose planes are zero
  PictureSideRecord across, down;
  int32_t width;    // pixels a row
  uint8_t present;  // 0: not of this group, its planes are left alone
  uint8_t down_first, mirror;
};

// What a minibatch's pictures are: one for all, then a record an image. In device memory, with the device's addresses.
struct PictureTable {
  float divisor;
  float mean[3], std[3];
  int32_t bgr;
  CONVOY_PORTABLE const PictureRecord* records() const {
    return reinterpret_cast<const PictureRecord*>(this + 1);
  }
};
static_assert(sizeof(PictureTable) % alignof(PictureRecord) == 0);

struct PicturesBody {  // element i: a pixel of all planes of [n][3][side][side]
  const PictureTable* table;
  float* planes;
  int side;

  static constexpr int bits = 22;  // of weights, behind the point: data/resize_passes.h
  CONVOY_PORTABLE static int to_byte(int sum) {
    sum >>= bits;
    return sum < 255 ? sum : 255;
  }
  // Along the pass that comes first: one channel of one line, or column, at `from`.
  CONVOY_PORTABLE static int line(const uint8_t* from, int64_t stride, const int32_t* weights, int taps) {
    int sum = 1 << (bits - 1);
    for (int t = 0; t < taps; ++t) sum += from[t * stride] * weights[t];
    return to_byte(sum);
  }

  CONVOY_PORTABLE void operator()(int64_t i) const {
    const Split column = split(i, side), row = split(column.rest, side);
    const PictureRecord& picture = table->records()[row.rest];
    if (picture.present == 0) return;
    const int64_t area = static_cast<int64_t>(side) * side;
    float* to = planes + row.rest * 3 * area + static_cast<int64_t>(row.last) * side + column.last;
    if (picture.rgb == nullptr) {
      for (int c = 0; c < 3; ++c) to[c * area] = 0;
      return;
    }
    const PictureSideRecord &across = picture.across, &down = picture.down;
    const int x = picture.mirror != 0 ? side - 1 - column.last : column.last, y = row.last;
    const int32_t *wx = across.weights + static_cast<int64_t>(x) * across.taps,
                  *wy = down.weights + static_cast<int64_t>(y) * down.taps;
    const int64_t stride = 3 * static_cast<int64_t>(picture.width);
    const uint8_t* corner = picture.rgb + down.first[y] * stride + 3 * static_cast<int64_t>(across.first[x]);
    for (int c = 0; c < 3; ++c) {
      int sum = 1 << (bits - 1);
      if (picture.down_first != 0)
        for (int t = 0; t < across.taps; ++t) sum += line(corner + 3 * t + c, stride, wy, down.taps) * wx[t];
      else
        for (int t = 0; t < down.taps; ++t) sum += line(corner + t * stride + c, 3, wx, across.taps) * wy[t];
      const int plane = table->bgr != 0 ? 2 - c : c;
      to[plane * area] =
          (static_cast<float>(to_byte(sum)) / table->divisor - table->mean[plane]) / table->std[plane];
    }
  }
};

}  // namespace convoy::fused
