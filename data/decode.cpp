#include "data/decode.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "data/coefficient_record.h"
#include "data/decode_formats.h"

namespace convoy {
namespace {

bool starts_with(std::span<const std::byte> encoded, std::string_view magic, size_t at = 0) {
  return encoded.size() >= at + magic.size() &&
         std::equal(magic.begin(), magic.end(), encoded.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char wanted, std::byte found) {
                      return std::byte(static_cast<unsigned char>(wanted)) == found;
                    });
}

// What people really have under a .JPEG name, so that the reason says more than "not a JPEG".
std::string_view other_format(std::span<const std::byte> encoded) {
  if (starts_with(encoded, "GIF8")) return "a GIF";
  if (starts_with(encoded, "BM")) return "a BMP";
  if (starts_with(encoded, "RIFF") && starts_with(encoded, "WEBP", 8)) return "a WebP image";
  if (starts_with(encoded, "ftyp", 4)) return "a HEIC, AVIF or MP4 file";
  if (starts_with(encoded, {"II*\0", 4}) || starts_with(encoded, {"MM\0*", 4})) return "a TIFF";
  if (starts_with(encoded, "\x1f\x8b")) return "a gzip file";
  if (starts_with(encoded, "PK")) return "a zip file";
  if (starts_with(encoded, "<")) return "an HTML or XML page (a failed download?)";
  return "neither a JPEG nor a PNG";
}

}  // namespace

void prepare(Image& dst, int64_t width, int64_t height) {
  require(width > 0 && height > 0, "the image is {} x {} pixels: nothing to see", width, height);
  require(width <= max_image_side && height <= max_image_side && width * height <= max_image_pixels,
          "the header claims {} x {} pixels; the limits are {} a side and {} in all", width, height,
          max_image_side, max_image_pixels);
  dst.width = static_cast<int>(width);
  dst.height = static_cast<int>(height);
  dst.rgb.resize(static_cast<size_t>(width * height * 3));
}

namespace {

void decode_all_of_png(std::span<const std::byte> encoded, const Wanted* wanted, Image& dst,
                       DecodeReport& into) {
  decode_png(encoded, dst, into);
  if (wanted != nullptr) (*wanted)(dst.width, dst.height);  // asked once, whatever the format
}

void decode(std::span<const std::byte> encoded, const Wanted* wanted, Image& dst, DecodeReport& into) {
  require(!encoded.empty(), "the file is empty");
  into = {};
  if (starts_with(encoded, "\x89PNG\r\n\x1a\n"))
    decode_all_of_png(encoded, wanted, dst, into);
  else if (starts_with(encoded, "\xff\xd8"))
    decode_jpeg(encoded, wanted, dst, into);
  else if (is_coefficient_record(encoded))
    decode_coefficients(encoded, wanted, dst);
  else
    fail("it is {}", other_format(encoded));
}

}  // namespace

void decode(std::span<const std::byte> encoded, Image& dst, DecodeReport* report) {
  DecodeReport own;
  decode(encoded, nullptr, dst, report ? *report : own);
}

void decode_part(std::span<const std::byte> encoded, const Wanted& wanted, Image& dst) {
  DecodeReport unused;
  decode(encoded, &wanted, dst, unused);
}

bool decodes_to(std::span<const std::byte> encoded, const Image& pixels) {
  try {
    DecodeReport report;
    const Image image = decode(encoded, &report);
    return report.warnings == 0 && image.width == pixels.width && image.height == pixels.height &&
           image.rgb == pixels.rgb;
  } catch (const Error&) {
    return false;
  }
}

Image decode(std::span<const std::byte> encoded, DecodeReport* report) {
  Image image;
  decode(encoded, image, report);
  return image;
}

}  // namespace convoy
