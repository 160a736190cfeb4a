// Encoded bytes (JPEG of every kind that libjpeg-turbo reads at 8 bits, PNG under any name, or a JPEG's coefficients as
// coefficient_record.h has them) to 8-bit RGB, pixel for pixel what Pillow's Image.open(..).convert("RGB") gives: slow-integer
// IDCT, fancy upsampling, grayscale replicated, CMYK and YCCK by Adobe's inverted convention, alpha dropped, EXIF orientation and
// ICC profiles ignored. One departure: 16-bit gray PNGs, which Pillow clips to white.
// The caller owns every buffer; nothing is kept between calls, so any number of threads may decode at once.
// Damage that libjpeg can live with (a truncated or rotten scan: the lost part is grey) is counted, never printed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace convoy {

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;        // [height][width][3]
  std::vector<uint8_t> room = {};  // what decoding takes on its way, kept for the next image
};

struct Crop {
  int left = 0, top = 0, width = 0, height = 0;
  bool operator==(const Crop&) const = default;
};
// What of an image of this size is wanted: within it, not empty. Asked once an image, when its size is known.
using Wanted = std::function<Crop(int width, int height)>;

struct DecodeReport {
  int64_t warnings = 0;
  std::string first_warning;
};

// Limits, checked on the header before anything is allocated: libjpeg's side and Pillow's "decompression bomb".
constexpr int64_t max_image_side = 65500;
constexpr int64_t max_image_pixels = 178956970;

// Throws Error with the reason alone, and the caller adds the file's name; std::bad_alloc where memory runs out, which
// says nothing about the image. `report` is overwritten.
Image decode(std::span<const std::byte> encoded, DecodeReport* report = nullptr);
// The same into `dst`, whose buffer is reused: no allocation of ours once it has seen the largest image.
void decode(std::span<const std::byte> encoded, Image& dst, DecodeReport* report = nullptr);
// The same pixels where they are wanted, and anything elsewhere: of a JPEG no more is transformed than needed, and nothing
// below is read, so that damage there is not seen.
void decode_part(std::span<const std::byte> encoded, const Wanted& wanted, Image& dst);

// Without a warning to exactly these pixels?
bool decodes_to(std::span<const std::byte> encoded, const Image& pixels);

// The size of a JPEG such as decoders in hardware read: baseline, 8 bits, grey or YCbCr in one scan, with chroma of the usual
// four samplings (4:4:4, 4:2:2, 4:4:0, 4:2:0). Nothing for any other, and for what is none: decode() reads those, or says why
// not.
struct ImageSize {
  int width = 0, height = 0;
};
std::optional<ImageSize> plain_jpeg(std::span<const std::byte> encoded);

}  // namespace convoy
