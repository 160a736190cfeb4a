#include "data/resize.h"

#include <catch2/catch.hpp>

#include "base/random.h"
#include "decode_fixtures.h"

namespace convoy {
namespace {

Image gray(int width, int height, const std::vector<uint8_t>& values) {
  Image image{width, height, {}};
  for (const uint8_t v : values) image.rgb.insert(image.rgb.end(), {v, v, v});
  return image;
}

std::vector<uint8_t> reds(const Image& image) {
  std::vector<uint8_t> values;
  for (size_t i = 0; i < image.rgb.size(); i += 3) values.push_back(image.rgb[i]);
  return values;
}

std::vector<uint8_t> resized(const Image& src, int width, int height) {
  Image dst;
  ResizeScratch scratch;
  resize(src, {0, 0, src.width, src.height}, width, height, dst, scratch);
  CHECK(dst.width == width);
  CHECK(dst.height == height);
  return reds(dst);
}

}  // namespace

TEST_CASE("enlarging interpolates between centres") {
  // Centres fall on 0.25, 0.75, 1.25, 1.75 of two pixels: 0, 3/4 and 1/4, 1/4 and 3/4, 100.
  CHECK(resized(gray(2, 1, {0, 100}), 4, 1) == std::vector<uint8_t>{0, 25, 75, 100});
  CHECK(resized(gray(1, 2, {0, 100}), 1, 4) == std::vector<uint8_t>{0, 25, 75, 100});
}

TEST_CASE("reducing averages under a triangle as wide as the reduction") {
  // Weights 3/4, 3/4, 1/4 over 7/4: (0 + 30 + 20) / 1.75 = 28.57 and (10 + 60 + 150) / 1.75 = 125.71.
  CHECK(resized(gray(4, 1, {0, 40, 80, 200}), 2, 1) == std::vector<uint8_t>{29, 126});
  CHECK(resized(gray(1, 4, {0, 40, 80, 200}), 1, 2) == std::vector<uint8_t>{29, 126});
}

TEST_CASE("the horizontal pass is rounded to 8 bits before the vertical one") {
  // Rows become 0.5 -> 1 and 0 -> 0 (a half rounds up), and 1 and 0 become 1; unrounded, 0.25 would be 0.
  CHECK(resized(gray(2, 2, {1, 0, 0, 0}), 1, 1) == std::vector<uint8_t>{1});
}

TEST_CASE("the same size changes nothing, one pixel becomes a flat picture") {
  const Image source = fixtures::pattern(23, 17);
  Image dst;
  ResizeScratch scratch;
  resize(source, {0, 0, 23, 17}, 23, 17, dst, scratch);
  CHECK(dst.rgb == source.rgb);
  CHECK(resized(gray(1, 1, {77}), 5, 3) == std::vector<uint8_t>(15, 77));
}

TEST_CASE("constant pictures stay constant at any size") {
  Random random(1, stream_of("resize sizes"));
  for (int i = 0; i < 60; ++i) {
    const int w = 1 + static_cast<int>(random.next_below(90)),
              h = 1 + static_cast<int>(random.next_below(90));
    const int to_w = 1 + static_cast<int>(random.next_below(90)),
              to_h = 1 + static_cast<int>(random.next_below(90));
    INFO(w << " x " << h << " to " << to_w << " x " << to_h);
    const auto value = static_cast<uint8_t>(random.next_below(256));
    CHECK(resized(gray(w, h, std::vector<uint8_t>(static_cast<size_t>(w) * h, value)), to_w, to_h) ==
          std::vector<uint8_t>(static_cast<size_t>(to_w) * to_h, value));
  }
}

TEST_CASE(
    "a crop is resized as if it were all there is, a window is a part of the whole, scratch leaves no "
    "trace") {
  const Image source = fixtures::pattern(60, 45);
  ResizeScratch scratch;
  Random random(2, stream_of("resize crops"));
  const auto below = [&random](int n) {
    return static_cast<int>(random.next_below(static_cast<uint32_t>(n)));
  };
  for (int i = 0; i < 60; ++i) {
    Crop crop{below(60), below(45), 0, 0};
    crop.width = 1 + below(60 - crop.left);
    crop.height = 1 + below(45 - crop.top);
    const int width = i % 3 == 0 ? crop.width : 1 + below(50), height = 1 + below(50);
    Crop window{below(width), below(height), 0, 0};
    window.width = 1 + below(width - window.left);
    window.height = 1 + below(height - window.top);

    Image cut{crop.width, crop.height, {}}, whole, part, from_crop;
    for (int y = 0; y < crop.height; ++y) {
      const auto row = source.rgb.begin() + ((crop.top + y) * 60 + crop.left) * 3;
      cut.rgb.insert(cut.rgb.end(), row, row + crop.width * 3);
    }
    ResizeScratch fresh;
    resize(cut, {0, 0, crop.width, crop.height}, width, height, whole, fresh);
    resize(source, crop, width, height, from_crop, scratch);
    CHECK(from_crop.rgb == whole.rgb);

    resize(source, crop, width, height, window, part, scratch);
    std::vector<uint8_t> wanted;
    for (int y = 0; y < window.height; ++y) {
      const auto row = whole.rgb.begin() + ((window.top + y) * width + window.left) * 3;
      wanted.insert(wanted.end(), row, row + window.width * 3);
    }
    CHECK(part.rgb == wanted);
  }
}

}  // namespace convoy
