// Rows of a JPEG's samples to RGB, bit for bit as libjpeg-turbo does by default: "fancy" upsampling (a triangle filter: three
// parts of the nearest sample and one of the next, across and down) and BT.601 at full range with 16 fractional bits.
#pragma once

#include <cstdint>

namespace convoy {

// Upsampled chroma of one row of pixels: 2 * `samples` bytes. `near` are the nearest row's and `far` the next one's, the same
// row where there is none; each is read one sample to either side.
void upsample_across(const uint8_t* near, int samples, uint8_t* to);
void upsample_both(const uint8_t* near, const uint8_t* far, int samples, uint8_t* to);
// As many bytes as samples. `upper`: of the two rows of pixels of `near`, the first, which lies between it and `far` above.
void upsample_down(const uint8_t* near, const uint8_t* far, bool upper, int samples, uint8_t* to);

void rgb_of(const uint8_t* y, const uint8_t* cb, const uint8_t* cr, int pixels, uint8_t* rgb);
void rgb_of_grey(const uint8_t* y, int pixels, uint8_t* rgb);

}  // namespace convoy
