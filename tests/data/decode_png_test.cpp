#include <catch2/catch.hpp>

#include "base/error.h"
#include "data/decode.h"
#include "decode_fixtures.h"

namespace convoy {

using fixtures::png;

TEST_CASE("PNG under any name: RGB, interlaced or not, exactly") {
  const Image source = fixtures::pattern(19, 13);
  for (const bool interlaced : {false, true}) {
    const Image image = decode(png(19, 13, source.rgb, {8, 2, interlaced}));
    CHECK(image.width == 19);
    CHECK(image.height == 13);
    CHECK(image.rgb == source.rgb);
  }
}

TEST_CASE("PNG: alpha is dropped without blending") {
  CHECK(decode(png(2, 1, {10, 20, 30, 0, 40, 50, 60, 128}, {8, 6})).rgb ==
        std::vector<uint8_t>{10, 20, 30, 40, 50, 60});
  CHECK(decode(png(2, 1, {10, 0, 40, 128}, {8, 4})).rgb == std::vector<uint8_t>{10, 10, 10, 40, 40, 40});
}

TEST_CASE("PNG: 16 bits give their high byte") {
  CHECK(decode(png(1, 1, {0x12, 0xff, 0x34, 0x80, 0x56, 0x00}, {16, 2})).rgb ==
        std::vector<uint8_t>{0x12, 0x34, 0x56});
  CHECK(decode(png(1, 1, {0xab, 0xcd}, {16, 0})).rgb == std::vector<uint8_t>{0xab, 0xab, 0xab});
}

TEST_CASE("PNG: small grays span 0 to 255, palettes are looked up") {
  CHECK(decode(png(3, 1, {0b10100000}, {1, 0})).rgb ==
        std::vector<uint8_t>{255, 255, 255, 0, 0, 0, 255, 255, 255});
  CHECK(decode(png(2, 1, {0b01100000}, {2, 0})).rgb == std::vector<uint8_t>{85, 85, 85, 170, 170, 170});
  CHECK(decode(png(2, 1, {0x1f}, {4, 0})).rgb == std::vector<uint8_t>{17, 17, 17, 255, 255, 255});
  const std::vector<uint8_t> palette = {1, 2, 3, 200, 100, 50};
  CHECK(decode(png(2, 1, {1, 0}, {8, 3, false, palette})).rgb == std::vector<uint8_t>{200, 100, 50, 1, 2, 3});
  CHECK(decode(png(2, 1, {0b10000000}, {1, 3, false, palette})).rgb ==
        std::vector<uint8_t>{200, 100, 50, 1, 2, 3});
}

TEST_CASE("PNG: cut files and impossible claims are errors") {
  using Catch::Matchers::Contains;
  auto bytes = png(19, 13, fixtures::pattern(19, 13).rgb);
  auto cut = bytes;
  cut.resize(bytes.size() / 2);
  CHECK_THROWS_WITH(decode(cut), Contains("PNG: the file ends too early"));
  auto flipped = bytes;
  flipped[flipped.size() / 2] ^= std::byte{0x10};
  CHECK_THROWS_WITH(decode(flipped), Contains("PNG"));
}

}  // namespace convoy
