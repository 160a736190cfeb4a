// A part of an image has the same pixels as all of it: noise, where every chroma sample differs from its neighbours, in every
// kind of JPEG, and the real images.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error.h"
#include "base/random.h"
#include "data/augment.h"
#include "data/decode.h"
#include "decode_fixtures.h"

namespace convoy {
namespace {

using fixtures::Bytes;

Crop random_part(int width, int height, Random& random) {
  const auto along = [&](int size) {
    const int length = 1 + static_cast<int>(random.next_below(static_cast<uint32_t>(size)));
    return std::pair(static_cast<int>(random.next_below(static_cast<uint32_t>(size - length + 1))), length);
  };
  const auto [left, w] = along(width);
  const auto [top, h] = along(height);
  return {left, top, w, h};
}

// The buffer is reused, and begins with what is nobody's: what is not decoded must not be what was there before by luck.
bool same(const Image& whole, const Bytes& bytes, const Crop& part, Image& reused) {
  reused.rgb.assign(whole.rgb.size(), 0x5a);
  decode_part(
      bytes, [&](int, int) { return part; }, reused);
  if (reused.width != whole.width || reused.height != whole.height) return false;
  for (int y = part.top; y < part.top + part.height; ++y) {
    const auto at = (static_cast<std::ptrdiff_t>(y) * whole.width + part.left) * 3;
    if (!std::equal(whole.rgb.begin() + at, whole.rgb.begin() + at + 3 * part.width, reused.rgb.begin() + at))
      return false;
  }
  return true;
}

std::string text(const Crop& c) { return fmt::format("{}x{} at {}, {}", c.width, c.height, c.left, c.top); }

}  // namespace

TEST_CASE("a part of a JPEG has the pixels of the whole") {
  Random random(1, stream_of("parts"));
  Image reused;
  for (const int components : {1, 3, 4})
    for (const bool progressive : {false, true})
      for (const bool subsampled : {false, true})
        for (const auto& [width, height] :
             {std::pair(1, 1), {7, 130}, {131, 9}, {64, 64}, {203, 187}, {257, 98}}) {
          std::vector<uint8_t> noise(static_cast<size_t>(width * height * components));
          for (uint8_t& value : noise) value = static_cast<uint8_t>(random.next_below(256));
          const Bytes bytes =
              fixtures::jpeg(width, height, components, noise, {90, progressive, false, subsampled});
          const Image whole = decode(bytes);
          for (int i = 0; i < 12; ++i) {
            const Crop part = i == 0 ? Crop{0, 0, width, height} : random_part(width, height, random);
            INFO(components << " components, " << width << " x " << height << ", progressive " << progressive
                            << ", subsampled " << subsampled << ": " << text(part));
            REQUIRE(same(whole, bytes, part, reused));
          }
        }
}

TEST_CASE("a part of a PNG is its pixels, too, and what is no image is refused as ever") {
  const Image source = fixtures::pattern(40, 30);
  const Bytes bytes = fixtures::png(40, 30, source.rgb);
  Image reused;
  CHECK(same(decode(bytes), bytes, {11, 7, 5, 9}, reused));
  CHECK_THROWS_WITH(decode_part(
                        {}, [](int, int) { return Crop{}; }, reused),
                    Catch::Contains("the file is empty"));
}

TEST_CASE("what a view needs covers all that its pixels come from") {
  // Everything outside is turned to noise: the result must stay.
  Random random(3, stream_of("needed"));
  Transform t;
  t.input = 32;
  t.resize = 40;
  for (const char* crop : {"random-resized-crop", "random-crop", "center"})
    for (int i = 0; i < 60; ++i) {
      t.train = crop;
      const int width = 33 + static_cast<int>(random.next_below(300)),
                height = 33 + static_cast<int>(random.next_below(300));
      const Image image = fixtures::pattern(width, height);
      const Random dice(4, stream_of("augment", static_cast<uint64_t>(i)));
      const Crop part = needed(train_view(width, height, t, dice));
      Image noisy = image;
      for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
          const bool inside =
              x >= part.left && x < part.left + part.width && y >= part.top && y < part.top + part.height;
          for (int c = 0; c < 3 && !inside; ++c)
            noisy.rgb[static_cast<size_t>((y * width + x) * 3 + c)] =
                static_cast<uint8_t>(random.next_below(256));
        }
      std::vector<float> clean(3 * 32 * 32), seen(clean.size());
      Scratch scratch;
      prepare_train(image, t, dice, clean, scratch);
      prepare_train(noisy, t, dice, seen, scratch);
      INFO(crop << " of " << width << " x " << height << ": " << text(part));
      REQUIRE(clean == seen);
    }
}

TEST_CASE("parts of real images have the pixels of the whole") {
  const auto root = fixtures::real_data("parts of real images");
  if (root.empty()) return;
  Random random(2, stream_of("real parts"));
  Image whole, reused;
  int images = 0, seen = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = entry.path().extension().string();
    const bool tiny = entry.path().string().find("tiny") != std::string::npos;  // many, and of one kind
    if (!entry.is_regular_file() || (name != ".JPEG" && name != ".jpg" && name != ".jpeg")) continue;
    if (tiny && seen++ % 100 != 0) continue;
    const Bytes bytes = fixtures::read_bytes(entry.path());
    try {
      decode(bytes, whole);
    } catch (const Error&) {
      continue;  // of the quirks, those that are none
    }
    ++images;
    for (int i = 0; i < 4; ++i) {
      const Crop part = random_part(whole.width, whole.height, random);
      INFO(entry.path() << ": " << text(part));
      REQUIRE(same(whole, bytes, part, reused));
    }
  }
  CHECK(images > 100);
}

}  // namespace convoy
