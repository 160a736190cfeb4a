#include "data/normalize.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/clones.h"

namespace convoy {
namespace {

struct Channel {
  float mean, std;
  float* plane;
};

[[gnu::always_inline]] inline void normalize_pixels(const uint8_t* __restrict src, size_t count,
                                                    float divisor, const Channel (&rgb)[3], size_t offset) {
  float *__restrict red = rgb[0].plane + offset, *__restrict green = rgb[1].plane + offset,
                   *__restrict blue = rgb[2].plane + offset;
  const float means[] = {rgb[0].mean, rgb[1].mean, rgb[2].mean},
              stds[] = {rgb[0].std, rgb[1].std, rgb[2].std};
  for (size_t x = 0; x < count; ++x) {
    red[x] = (static_cast<float>(src[3 * x]) / divisor - means[0]) / stds[0];
    green[x] = (static_cast<float>(src[3 * x + 1]) / divisor - means[1]) / stds[1];
    blue[x] = (static_cast<float>(src[3 * x + 2]) / divisor - means[2]) / stds[2];
  }
}

CONVOY_CLONES void normalize_rows(const uint8_t* src, size_t width, size_t height, float divisor,
                                  const Channel (&rgb)[3]) {
  normalize_pixels(src, width * height, divisor, rgb, 0);
}

using Bytes = uint8_t __attribute__((vector_size(16)));
struct [[gnu::packed, gnu::may_alias]] Loose {
  Bytes v;
};

// `count` pixels that end before `end`, the last one first. `dst` has 4 bytes too many.
[[gnu::always_inline]] inline void turn_around(const uint8_t* end, size_t count, uint8_t* dst) {
  size_t x = 0;
  for (; x < count && x < 2; ++x) std::memcpy(dst + 3 * x, end - 3 * (x + 1), 3);
  for (; x + 4 <= count; x += 4) {  // read with the four bytes behind them, written with four that follow
    const Bytes four = reinterpret_cast<const Loose*>(end - 3 * (x + 4))->v;
    reinterpret_cast<Loose*>(dst + 3 * x)->v =
        __builtin_shufflevector(four, four, 9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2, 12, 13, 14, 15);
  }
  for (; x < count; ++x) std::memcpy(dst + 3 * x, end - 3 * (x + 1), 3);
}

// Divisions are worth being done in vectors, and compilers do not write those backwards: pixels are turned around first.
CONVOY_CLONES void normalize_mirrored(const uint8_t* src, size_t width, size_t height, float divisor,
                                      const Channel (&rgb)[3]) {
  constexpr size_t most = 224;
  uint8_t turned[3 * most + 4];
  for (size_t y = 0; y < height; ++y, src += 3 * width)
    for (size_t begin = 0; begin < width; begin += most) {
      const size_t count = width - begin < most ? width - begin : most;
      turn_around(src + 3 * (width - begin), count, turned);
      normalize_pixels(turned, count, divisor, rgb, y * width + begin);
    }
}

}  // namespace

void normalize(const Image& image, const Transform& t, bool mirror, std::span<float> chw) {
  const auto width = static_cast<size_t>(image.width), height = static_cast<size_t>(image.height);
  Channel rgb[3];
  for (size_t c = 0; c < 3; ++c)
    rgb[t.bgr ? 2 - c : c] = {t.mean[c], t.std[c], chw.data() + c * width * height};
  (mirror ? normalize_mirrored : normalize_rows)(image.rgb.data(), width, height, t.divisor, rgb);
}

}  // namespace convoy
