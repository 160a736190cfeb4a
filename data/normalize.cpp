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

// Divisions are worth being done in vectors, and nothing is written backwards so: pixels are turned around first.
CONVOY_CLONES void normalize_mirrored(const uint8_t* src, size_t width, size_t height, float divisor,
                                      const Channel (&rgb)[3]) {
  constexpr size_t most = 224;
  uint8_t turned[3 * most + 1];
  for (size_t y = 0; y < height; ++y, src += 3 * width)
    for (size_t begin = 0; begin < width; begin += most) {
      const size_t count = width - begin < most ? width - begin : most;
      const uint8_t* last = src + 3 * (width - begin - 1);
      std::memcpy(turned, last, 3);  // the others with a byte too many: the next one's, which follows
      for (size_t x = 1; x < count; ++x) std::memcpy(turned + 3 * x, last - 3 * x, 4);
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
