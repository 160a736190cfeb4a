#include "data/resize_passes.h"

#include <algorithm>
#include <cstring>

#include "base/clones.h"

// Where rows lie behind one another, plain loops do: compilers turn them into vector code, once for each instruction set.
// Pixels of three bytes take explicit vectors. Of those, GCC 12 takes apart what widens, and copies of them by memcpy before
// it makes the clones; by value they would travel differently in each.
namespace convoy {
namespace {

using Sums = int32_t __attribute__((vector_size(32)));  // two pixels of four lanes
using Bytes = uint8_t __attribute__((vector_size(16)));
using WideBytes = uint8_t __attribute__((vector_size(32)));
using WideWords = uint64_t __attribute__((vector_size(32)));
// Where it lies at any address.
template <class Vector>
struct [[gnu::packed, gnu::may_alias]] Loose {
  Vector v;
};
constexpr int woven_rows = 4, pixel_lanes = 4, woven_pixel = woven_rows * pixel_lanes;
constexpr int32_t half = 1 << (resize_precision - 1);

[[gnu::always_inline]] inline uint8_t to_byte(int32_t sum) {
  return static_cast<uint8_t>(std::min(sum >> resize_precision, 255));
}

// The four rows' pixels in bytes, rows 0 and 2 before 1 and 3: nothing moves between the halves of a register.
[[gnu::always_inline]] inline void to_bytes(Sums& upper, Sums& lower, uint32_t (&pixels)[woven_rows]) {
  upper >>= resize_precision;
  lower >>= resize_precision;
  upper = upper > 255 ? Sums{} + 255 : upper;
  lower = lower > 255 ? Sums{} + 255 : lower;
  const auto both = reinterpret_cast<WideBytes>(upper | lower << 8);
  const auto gathered = reinterpret_cast<WideWords>(
      __builtin_shufflevector(both, both, 0, 4, 8, 12, 1, 5, 9, 13, 0, 4, 8, 12, 1, 5, 9, 13, 16, 20, 24, 28,
                              17, 21, 25, 29, 16, 20, 24, 28, 17, 21, 25, 29));
  pixels[0] = static_cast<uint32_t>(gathered[0]);
  pixels[1] = static_cast<uint32_t>(gathered[2]);
  pixels[2] = static_cast<uint32_t>(gathered[0] >> 32);
  pixels[3] = static_cast<uint32_t>(gathered[2] >> 32);
}

// A pixel of two rows, of which each half holds 16 bytes.
template <int from>
[[gnu::always_inline]] inline void weave_pixel(const WideBytes& bytes, int32_t* woven) {
  constexpr int r = from, g = from + 1, b = from + 2, a = from + 3, R = r + 16, G = g + 16, B = b + 16,
                A = a + 16;
  const WideBytes spread = __builtin_shufflevector(bytes, bytes, r, r, r, r, g, g, g, g, b, b, b, b, a, a, a,
                                                   a, R, R, R, R, G, G, G, G, B, B, B, B, A, A, A, A);
  reinterpret_cast<Loose<Sums>*>(woven)->v = reinterpret_cast<Sums>(spread) & 255;
}

// Rows beside one another, [pixel][row][red, green, blue, anything]: the same weight is for all of a pixel's lanes.
[[gnu::always_inline]] inline void weave(const uint8_t* const (&rows)[woven_rows], size_t pixels,
                                         int32_t* woven) {
  size_t begin = 0;
  for (; 3 * begin + sizeof(Bytes) <= 3 * pixels; begin += 4)
    for (int r = 0; r < woven_rows; r += 2) {
      const Bytes one = reinterpret_cast<const Loose<Bytes>*>(rows[r] + 3 * begin)->v,
                  other = reinterpret_cast<const Loose<Bytes>*>(rows[r + 1] + 3 * begin)->v;
      const WideBytes both =
          __builtin_shufflevector(one, other, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
                                  18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
      int32_t* to = woven + woven_pixel * begin + pixel_lanes * r;
      weave_pixel<0>(both, to);
      weave_pixel<3>(both, to + woven_pixel);
      weave_pixel<6>(both, to + 2 * woven_pixel);
      weave_pixel<9>(both, to + 3 * woven_pixel);
    }
  for (size_t x = begin; x < pixels; ++x)  // nothing is read behind a row
    for (int r = 0; r < woven_rows; ++r)
      for (int c = 0; c < 3; ++c) woven[woven_pixel * x + pixel_lanes * r + c] = rows[r][3 * x + c];
}

// `known` taps are unrolled; 0: any number.
template <int known>
[[gnu::always_inline]] inline void across_woven(const int32_t* woven, const ResizeFilter& filter, int origin,
                                                uint8_t* const (&dst)[woven_rows]) {
  const int taps = known > 0 ? known : filter.taps;
  const size_t count = filter.first.size();
  const int32_t *first = filter.first.data(), *weights = filter.weights.data();
  uint8_t* const to[woven_rows] = {dst[0], dst[1], dst[2], dst[3]};
  for (size_t x = 0; x < count; ++x, weights += taps) {
    Sums upper = Sums{} + half, lower = upper;
    const auto* two = reinterpret_cast<const Loose<Sums>*>(woven + woven_pixel * (first[x] - origin));
    for (int t = 0; t < taps; ++t) {
      upper += two[2 * t].v * weights[t];
      lower += two[2 * t + 1].v * weights[t];
    }
    uint32_t pixels[woven_rows];
    to_bytes(upper, lower, pixels);
    for (int r = 0; r < woven_rows; ++r)
      if (x + 1 < count)  // the byte too many is the next pixel's, which is written next
        std::memcpy(to[r] + 3 * x, &pixels[r], 4);
      else
        std::memcpy(to[r] + 3 * x, &pixels[r], 3);
  }
}

template <int known>
[[gnu::always_inline]] inline void down(const uint8_t* src, size_t stride, size_t bytes,
                                        const int32_t* weights, uint8_t* __restrict dst) {
  for (size_t i = 0; i < bytes; ++i) {
    int32_t sum = half;
    for (int t = 0; t < known; ++t) sum += src[static_cast<size_t>(t) * stride + i] * weights[t];
    dst[i] = to_byte(sum);
  }
}

[[gnu::always_inline]] inline void down_any(const uint8_t* src, size_t stride, size_t bytes, int taps,
                                            const int32_t* weights, uint8_t* __restrict dst) {
  constexpr size_t piece = 64;
  for (size_t begin = 0; begin < bytes; begin += piece) {
    const size_t count = std::min(piece, bytes - begin);
    int32_t sums[piece];
    for (int32_t& sum : sums) sum = half;
    for (int t = 0; t < taps; ++t) {
      const uint8_t* from = src + static_cast<size_t>(t) * stride + begin;
      if (count == piece)
        for (size_t i = 0; i < piece; ++i) sums[i] += from[i] * weights[t];
      else
        for (size_t i = 0; i < count; ++i) sums[i] += from[i] * weights[t];
    }
    for (size_t i = 0; i < count; ++i) dst[begin + i] = to_byte(sums[i]);
  }
}

CONVOY_CLONES void across_wide(const uint8_t* src, size_t src_stride, int rows, const ResizeFilter& filter,
                               int origin, std::vector<int32_t>& woven, uint8_t* dst) {
  const int begin = filter.first.front();
  const auto pixels = static_cast<size_t>(filter.first.back() + filter.taps - begin);
  const size_t dst_stride = 3 * filter.first.size();
  if (woven.size() < woven_pixel * pixels) woven.resize(woven_pixel * pixels);
  src += 3 * static_cast<size_t>(begin - origin);
  for (int y = 0; y < rows; y += woven_rows) {
    const uint8_t* from[woven_rows];
    uint8_t* to[woven_rows];
    for (int r = 0; r < woven_rows; ++r) {  // the last row stands in for those that are not there
      const auto row = static_cast<size_t>(std::min(y + r, rows - 1));
      from[r] = src + row * src_stride;
      to[r] = dst + row * dst_stride;
    }
    weave(from, pixels, woven.data());
    switch (filter.taps) {
      case 2:
        across_woven<2>(woven.data(), filter, begin, to);
        break;
      case 3:
        across_woven<3>(woven.data(), filter, begin, to);
        break;
      case 4:
        across_woven<4>(woven.data(), filter, begin, to);
        break;
      case 5:
        across_woven<5>(woven.data(), filter, begin, to);
        break;
      case 6:
        across_woven<6>(woven.data(), filter, begin, to);
        break;
      default:
        across_woven<0>(woven.data(), filter, begin, to);
    }
  }
}

}  // namespace

void pass_across(const uint8_t* src, size_t src_stride, int rows, const ResizeFilter& filter, int origin,
                 std::vector<int32_t>& woven, uint8_t* dst) {
  if (has_wide_vectors())
    across_wide(src, src_stride, rows, filter, origin, woven, dst);
  else
    pass_across_plain(src, src_stride, rows, filter, origin, dst);
}

void pass_across_plain(const uint8_t* src, size_t src_stride, int rows, const ResizeFilter& filter,
                       int origin, uint8_t* dst) {
  for (int y = 0; y < rows; ++y, src += src_stride) {
    const int32_t* weights = filter.weights.data();
    for (const int32_t first : filter.first) {
      const uint8_t* pixel = src + 3 * static_cast<size_t>(first - origin);
      int32_t red = half, green = half, blue = half;
      for (int t = 0; t < filter.taps; ++t, pixel += 3, ++weights) {
        red += pixel[0] * *weights;
        green += pixel[1] * *weights;
        blue += pixel[2] * *weights;
      }
      *dst++ = to_byte(red);
      *dst++ = to_byte(green);
      *dst++ = to_byte(blue);
    }
  }
}

CONVOY_CLONES void pass_down(const uint8_t* src, size_t stride, size_t bytes, const ResizeFilter& filter,
                             int origin, uint8_t* dst) {
  const int taps = filter.taps;
  const int32_t* weights = filter.weights.data();
  for (size_t y = 0; y < filter.first.size(); ++y, dst += bytes, weights += taps) {
    const uint8_t* row = src + static_cast<size_t>(filter.first[y] - origin) * stride;
    switch (taps) {
      case 2:
        down<2>(row, stride, bytes, weights, dst);
        break;
      case 3:
        down<3>(row, stride, bytes, weights, dst);
        break;
      case 4:
        down<4>(row, stride, bytes, weights, dst);
        break;
      case 5:
        down<5>(row, stride, bytes, weights, dst);
        break;
      case 6:
        down<6>(row, stride, bytes, weights, dst);
        break;
      default:
        down_any(row, stride, bytes, taps, weights, dst);
    }
  }
}

}  // namespace convoy
