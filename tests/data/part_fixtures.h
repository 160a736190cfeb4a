// Parts of images against the same pixels of the whole; noise, where every sample differs from its neighbours; samplings.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "decode_fixtures.h"

namespace convoy::fixtures {

inline int below(Random& random, int n) {
  return static_cast<int>(random.next_below(static_cast<uint32_t>(n)));
}

inline Crop random_part(int width, int height, Random& random) {
  Crop part{0, 0, 1 + below(random, width), 1 + below(random, height)};
  part.left = below(random, width - part.width + 1);
  part.top = below(random, height - part.height + 1);
  return part;
}

inline Bytes noise(int width, int height, int components, const JpegStyle& style, Random& random) {
  std::vector<uint8_t> samples(static_cast<size_t>(width * height * components));
  for (uint8_t& value : samples) value = static_cast<uint8_t>(random.next_below(256));
  return jpeg(width, height, components, samples, style);
}

// Of both images, which begin at their own places in the whole one.
inline bool same(const Image& whole, const Image& other, const Crop& place, const Crop& part) {
  for (int y = part.top; y < part.top + part.height; ++y) {
    const auto at = (static_cast<std::ptrdiff_t>(y) * whole.width + part.left) * 3;
    const auto to = (static_cast<std::ptrdiff_t>(y - place.top) * other.width + part.left - place.left) * 3;
    if (!std::equal(whole.rgb.begin() + at, whole.rgb.begin() + at + 3 * part.width, other.rgb.begin() + to))
      return false;
  }
  return true;
}

inline bool same_part(const Image& whole, const Bytes& bytes, const Crop& part) {
  Image other;
  other.rgb.assign(whole.rgb.size(), 0x5a);
  decode_part(
      bytes, [&](int, int) { return part; }, other);
  return other.width == whole.width && other.height == whole.height &&
         same(whole, other, {0, 0, whole.width, whole.height}, part);
}

inline std::string text(const Crop& c) {
  return fmt::format("{}x{} at {}, {}", c.width, c.height, c.left, c.top);
}

struct Sampling {
  int components, across, down;
};
inline constexpr Sampling samplings[] = {{1, 1, 1}, {3, 1, 1}, {3, 2, 1}, {3, 1, 2}, {3, 2, 2},
                                         {3, 4, 1}, {3, 1, 4}, {3, 4, 2}, {4, 1, 1}, {4, 2, 2}};

// Every real image that decodes: `write_anew` gives bytes with the same pixels, whole and in `parts` parts each, or none; nearly
// always some.
template <class WriteAnew>
void check_real_images(const std::string& what, Random random, int parts, const WriteAnew& write_anew) {
  const auto root = real_data(what);
  if (root.empty()) return;
  int images = 0, written = 0;
  for (const char* folder : {"imagenet100", "jpeg-quirks"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (!entry.is_regular_file()) continue;
      const Bytes bytes = read_bytes(entry.path());
      Image whole;
      try {
        decode(bytes, whole);
      } catch (const Error&) {
        continue;
      }
      ++images;
      const Bytes anew = write_anew(bytes, &whole);
      if (anew.empty()) continue;
      ++written;
      INFO(entry.path());
      REQUIRE(decode(anew).rgb == whole.rgb);
      for (int i = 0; i < parts; ++i)
        REQUIRE(same_part(whole, anew, random_part(whole.width, whole.height, random)));
    }
  CHECK(images > 100);
  CHECK(written > images * 8 / 10);
}

}  // namespace convoy::fixtures
