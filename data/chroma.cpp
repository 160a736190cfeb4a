#include "data/chroma.h"

#include <algorithm>
#include <cstddef>

#include "base/clones.h"

namespace convoy {
namespace {

constexpr int fraction = 16, half = 1 << (fraction - 1);
constexpr int fixed(double value) { return static_cast<int>(value * (1 << fraction) + 0.5); }
constexpr int red_of_cr = fixed(1.40200), blue_of_cb = fixed(1.77200), green_of_cb = fixed(0.34414),
              green_of_cr = fixed(0.71414);

[[gnu::always_inline]] inline uint8_t to_byte(int value) {
  return static_cast<uint8_t>(std::clamp(value, 0, 255));
}

}  // namespace

CONVOY_CLONES void upsample_across(const uint8_t* near, int samples, uint8_t* __restrict to) {
  for (int i = 0; i < samples; ++i) {
    const int three = 3 * near[i];
    to[2 * i] = static_cast<uint8_t>((three + near[i - 1] + 1) >> 2);
    to[2 * i + 1] = static_cast<uint8_t>((three + near[i + 1] + 2) >> 2);
  }
}

CONVOY_CLONES void upsample_both(const uint8_t* near, const uint8_t* far, int samples,
                                 uint8_t* __restrict to) {
  for (int i = 0; i < samples; ++i) {
    const int here = 3 * near[i] + far[i], left = 3 * near[i - 1] + far[i - 1],
              right = 3 * near[i + 1] + far[i + 1];
    to[2 * i] = static_cast<uint8_t>((3 * here + left + 8) >> 4);
    to[2 * i + 1] = static_cast<uint8_t>((3 * here + right + 7) >> 4);
  }
}

CONVOY_CLONES void upsample_down(const uint8_t* near, const uint8_t* far, bool upper, int samples,
                                 uint8_t* __restrict to) {
  const int bias = upper ? 1 : 2;
  for (int i = 0; i < samples; ++i) to[i] = static_cast<uint8_t>((3 * near[i] + far[i] + bias) >> 2);
}

CONVOY_CLONES void rgb_of(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, int pixels,
                          uint8_t* __restrict rgb) {
  for (int i = 0; i < pixels; ++i) {
    const int luma = y[i], blue = cb[i] - 128, red = cr[i] - 128;
    rgb[3 * i] = to_byte(luma + ((red_of_cr * red + half) >> fraction));
    rgb[3 * i + 1] = to_byte(luma + ((half - green_of_cb * blue - green_of_cr * red) >> fraction));
    rgb[3 * i + 2] = to_byte(luma + ((blue_of_cb * blue + half) >> fraction));
  }
}

CONVOY_CLONES void rgb_of_grey(const uint8_t* y, int pixels, uint8_t* __restrict rgb) {
  for (int i = 0; i < pixels; ++i) rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = y[i];
}

}  // namespace convoy
