#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <initializer_list>

#include "base/error.h"
#include "data/decode.h"
#include "decode_fixtures.h"

namespace convoy {
namespace {

using Catch::Matchers::Contains;
using fixtures::Bytes;
using fixtures::jpeg;
using fixtures::pattern;

std::string reason(const Bytes& bytes) {
  try {
    decode(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "(it decodes)";
}

Bytes bytes_of(std::string_view text) {
  const auto* from = reinterpret_cast<const std::byte*>(text.data());
  return {from, from + text.size()};
}

size_t find_marker(const Bytes& bytes, int marker, size_t from = 0) {
  for (size_t i = from; i + 1 < bytes.size(); ++i)
    if (bytes[i] == std::byte{0xff} && bytes[i + 1] == static_cast<std::byte>(marker)) return i;
  FAIL("no marker " << marker);
  return 0;
}

double mean_difference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  REQUIRE(a.size() == b.size());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

}  // namespace

TEST_CASE("RGB comes back, baseline, progressive and arithmetic") {
  const Image source = pattern(45, 31);
  std::vector<uint8_t> baseline;
  for (const bool progressive : {false, true})
    for (const bool arithmetic : {false, true}) {
      DecodeReport report;
      const Image image = decode(jpeg(45, 31, 3, source.rgb, {95, progressive, arithmetic}), &report);
      CHECK(image.width == 45);
      CHECK(image.height == 31);
      CHECK(mean_difference(image.rgb, source.rgb) < 4);
      CHECK(report.warnings == 0);
      if (baseline.empty()) baseline = image.rgb;
      CHECK(image.rgb == baseline);  // the entropy coder changes no coefficient
    }
}

TEST_CASE("grayscale is replicated") {
  std::vector<uint8_t> gray(16 * 8, 77);
  const Image image = decode(jpeg(16, 8, 1, gray, {100}));
  CHECK(image.rgb == std::vector<uint8_t>(16 * 8 * 3, 77));
}

TEST_CASE("CMYK and YCCK follow Adobe's inverted convention and Pillow's rounding") {
  const std::vector<uint8_t> inks = {200, 100, 30, 180};  // as stored: 255 - ink
  std::vector<uint8_t> samples;
  for (int i = 0; i < 64; ++i) samples.insert(samples.end(), inks.begin(), inks.end());
  // 180 - round((255 - stored) * 180 / 255): 180 - 39, 180 - 109, 180 - 159
  const std::vector<uint8_t> wanted = {141, 71, 21};
  const Image cmyk = decode(jpeg(8, 8, 4, samples, {100}));
  for (size_t i = 0; i < cmyk.rgb.size(); ++i) REQUIRE(cmyk.rgb[i] == wanted[i % 3]);
  fixtures::JpegStyle ycck{100};
  ycck.ycck = true;
  const Image converted = decode(jpeg(8, 8, 4, samples, ycck));
  for (size_t i = 0; i < converted.rgb.size(); ++i) REQUIRE(std::abs(converted.rgb[i] - wanted[i % 3]) <= 2);
}

TEST_CASE("what is no image says what it is") {
  CHECK(reason({}) == "the file is empty");
  CHECK_THAT(reason(bytes_of("<!DOCTYPE html><html>404</html>")), Contains("HTML"));
  CHECK_THAT(reason(bytes_of("GIF89a........")), Contains("GIF"));
  CHECK_THAT(reason(bytes_of(std::string_view("RIFF\0\0\0\0WEBPVP8 ", 16))), Contains("WebP"));
  CHECK_THAT(reason(bytes_of("hello")), Contains("neither"));
  CHECK_THAT(reason(bytes_of("\xff\xd8")), Contains("no image"));
}

TEST_CASE("sizes beyond the limits and depths beyond 8 bits are refused on the header") {
  Bytes bytes = jpeg(16, 16, 3, pattern(16, 16).rgb);
  const size_t frame = find_marker(bytes, 0xc0);
  const auto patched = [&](std::initializer_list<int> height_width) {
    Bytes copy = bytes;
    size_t at = frame + 5;
    for (const int byte : height_width) copy[at++] = static_cast<std::byte>(byte);
    return reason(copy);
  };
  CHECK_THAT(patched({0x80, 0, 0x80, 0}), Contains("32768 x 32768") && Contains("limits"));  // 2^30 pixels
  CHECK_THAT(patched({0xff, 0xff, 0xff, 0xff}), Contains("65500"));
  CHECK_THAT(patched({0, 16, 0, 0}), Contains("JPEG"));
  bytes[frame + 4] = std::byte{12};
  CHECK_THAT(reason(bytes), Contains("12"));
}

TEST_CASE("a truncated scan is decoded, grey at the end, and counted") {
  const Image source = pattern(64, 64);
  Bytes bytes = jpeg(64, 64, 3, source.rgb);
  bytes.resize(find_marker(bytes, 0xda) + 300);
  DecodeReport report{99, "left from the last image"};
  const Image image = decode(bytes, &report);
  CHECK(report.warnings > 0);
  CHECK(report.warnings < 10);
  CHECK_THAT(report.first_warning, Contains("Premature end"));
  CHECK(image.rgb.size() == 64u * 64 * 3);
  CHECK(std::abs(image.rgb[0] - source.rgb[0]) < 25);
  CHECK(std::equal(image.rgb.end() - 64 * 3, image.rgb.end() - 3,
                   image.rgb.end() - 64 * 3 + 3));  // one flat colour
}

TEST_CASE("a second frame header that claims more cannot overrun") {
  for (const bool progressive : {false, true}) {
    const Bytes bytes = jpeg(32, 32, 3, pattern(32, 32).rgb, {90, progressive});
    const size_t frame = find_marker(bytes, progressive ? 0xc2 : 0xc0);
    Bytes header(bytes.begin() + frame, bytes.begin() + frame + 19);
    header[5] = header[7] = std::byte{0x10};  // 4,000 pixels a side
    for (size_t at = find_marker(bytes, 0xda); at < bytes.size(); at += 7) {
      Bytes copy = bytes;
      copy.insert(copy.begin() + static_cast<std::ptrdiff_t>(at), header.begin(), header.end());
      try {
        const Image image = decode(copy);
        CHECK(image.width == 32);
        CHECK(image.rgb.size() == 32u * 32 * 3);
      } catch (const Error&) {
        SUCCEED("refused");
      }
    }
  }
}

TEST_CASE("thousands of scans in a small file are refused") {
  const Bytes bytes = jpeg(16, 16, 1, std::vector<uint8_t>(256, 9), {90, true});
  const size_t scan = find_marker(bytes, 0xda);
  const Bytes first(bytes.begin() + static_cast<std::ptrdiff_t>(scan),
                    bytes.begin() + static_cast<std::ptrdiff_t>(find_marker(bytes, 0xc4, scan)));
  Bytes many(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(scan));
  for (int i = 0; i < 2000; ++i) many.insert(many.end(), first.begin(), first.end());
  many.insert(many.end(), {std::byte{0xff}, std::byte{0xd9}});
  CHECK_THAT(reason(many), Contains("more than 500 scans"));
}

TEST_CASE("a reused buffer takes each image's size") {
  Image image;
  decode(jpeg(40, 20, 3, pattern(40, 20).rgb), image);
  decode(jpeg(8, 8, 1, std::vector<uint8_t>(64, 5), {100}), image);
  CHECK(image.width == 8);
  CHECK(image.rgb == std::vector<uint8_t>(192, 5));
}

}  // namespace convoy
