// The vector code of resize and normalization against the sums written down plainly, for every number of taps that has a
// version of its own and some that have not, every width modulo the vectors', and rows that end with the buffer.
#include "data/resize_passes.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/random.h"
#include "data/normalize.h"

namespace convoy {
namespace {

int below(Random& random, int n) { return static_cast<int>(random.next_below(static_cast<uint32_t>(n))); }

std::vector<uint8_t> noise(size_t bytes, Random& random) {
  std::vector<uint8_t> values(bytes);
  for (auto& value : values) value = static_cast<uint8_t>(random.next_below(256));
  return values;
}

// Weights that add up to one, or to a little more: rounding may do that, and 256 is then cut to 255.
ResizeFilter random_filter(int in, int taps, int count, Random& random) {
  ResizeFilter filter;
  filter.taps = taps;
  for (int i = 0; i < count; ++i) {
    filter.first.push_back(i * (in - taps) / std::max(count - 1, 1));
    int32_t left = (1 << resize_precision) + 2 * below(random, 2) * taps;
    for (int t = 0; t + 1 < taps; ++t) {
      filter.weights.push_back(below(random, left + 1));
      left -= filter.weights.back();
    }
    filter.weights.push_back(left);
  }
  return filter;
}

uint8_t plain(const ResizeFilter& filter, size_t i, const uint8_t* from, size_t step) {
  int64_t sum = int64_t{1} << (resize_precision - 1);
  for (int t = 0; t < filter.taps; ++t)
    sum += int64_t{from[static_cast<size_t>(t) * step]} *
           filter.weights[i * static_cast<size_t>(filter.taps) + static_cast<size_t>(t)];
  return static_cast<uint8_t>(std::min<int64_t>(sum >> resize_precision, 255));
}

}  // namespace

TEST_CASE("the pass across is its sums, whatever the taps and sizes") {
  Random random(5, stream_of("pass across"));
  std::vector<int32_t> woven;
  for (int taps = 1; taps < 20; ++taps)
    for (int i = 0; i < 40; ++i) {
      const int in = taps + below(random, 40), count = 1 + below(random, 30), rows = 1 + below(random, 9);
      const ResizeFilter filter = random_filter(in, taps, count, random);
      const auto stride = static_cast<size_t>(3 * in), wide = static_cast<size_t>(3 * count);
      auto src = noise(stride * static_cast<size_t>(rows), random);
      if (i % 4 == 0) std::fill(src.begin(), src.end(), 255);
      std::vector<uint8_t> dst(wide * static_cast<size_t>(rows)), wanted(dst.size());
      pass_across(src.data(), stride, rows, filter, 0, woven, dst.data());
      for (size_t y = 0; y < static_cast<size_t>(rows); ++y)
        for (size_t k = 0; k < wide; ++k)
          wanted[y * wide + k] =
              plain(filter, k / 3,
                    src.data() + y * stride + 3 * static_cast<size_t>(filter.first[k / 3]) + k % 3, 3);
      INFO(taps << " taps, " << rows << " rows of " << in << " to " << count);
      REQUIRE(dst == wanted);
      std::fill(dst.begin(), dst.end(), 0);
      pass_across_plain(src.data(), stride, rows, filter, 0, dst.data());
      REQUIRE(dst == wanted);
    }
}

TEST_CASE("the pass down is its sums, whatever the taps and sizes") {
  Random random(6, stream_of("pass down"));
  for (int taps = 1; taps < 20; ++taps)
    for (int i = 0; i < 40; ++i) {
      const int in = taps + below(random, 20), count = 1 + below(random, 12), width = 1 + below(random, 70);
      const ResizeFilter filter = random_filter(in, taps, count, random);
      const auto bytes = static_cast<size_t>(3 * width),
                 stride = bytes + static_cast<size_t>(below(random, 9));
      auto src = noise(stride * static_cast<size_t>(in - 1) + bytes, random);
      if (i % 4 == 0) std::fill(src.begin(), src.end(), 255);
      std::vector<uint8_t> dst(bytes * static_cast<size_t>(count)), wanted(dst.size());
      pass_down(src.data(), stride, bytes, filter, 0, dst.data());
      for (size_t y = 0; y < static_cast<size_t>(count); ++y)
        for (size_t k = 0; k < bytes; ++k)
          wanted[y * bytes + k] =
              plain(filter, y, src.data() + static_cast<size_t>(filter.first[y]) * stride + k, stride);
      INFO(taps << " taps, " << in << " rows of " << width << " to " << count);
      REQUIRE(dst == wanted);
    }
}

TEST_CASE("normalization is its formula, mirrored or not, of any width, in either order of channels") {
  Random random(7, stream_of("normalize"));
  Transform t;
  for (const bool bgr : {false, true})
    for (const bool mirror : {false, true})
      for (const int width : {1, 2, 31, 64, 223, 224, 225, 449, 700}) {
        t.bgr = bgr;
        const int height = 3;
        const auto plane = static_cast<size_t>(width * height);
        const Image image{width, height, noise(3 * plane, random)};
        std::vector<float> chw(3 * plane);
        normalize(image, t, mirror, chw);
        size_t wrong = 0;
        for (size_t c = 0; c < 3; ++c)
          for (size_t i = 0; i < plane; ++i) {
            const size_t row = i / static_cast<size_t>(width), x = i % static_cast<size_t>(width);
            const size_t from =
                row * static_cast<size_t>(width) + (mirror ? static_cast<size_t>(width) - 1 - x : x);
            const float value = image.rgb[3 * from + (bgr ? 2 - c : c)];
            wrong += chw[c * plane + i] != (value / t.divisor - t.mean[c]) / t.std[c];
          }
        INFO("width " << width << ", mirror " << mirror << ", bgr " << bgr);
        CHECK(wrong == 0);
      }
}

}  // namespace convoy
