#include "backends/onednn/norm_kernel.h"

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "base/clones.h"
#include "base/half.h"

namespace convoy::onednn {
namespace {

// Rows of a panel whose sums are kept in f32 before they go into the image's, and rows that are added at a time.
constexpr int64_t rows_in_f32 = 512, together = 4;
// Of the first image, spread over it, for a pivot.
constexpr int64_t pivots = 16;

// Rows of `width` channels, `step` numbers apart.
struct Rows {
  int64_t count, width, step;
};

// sums += x - pivot, squares += (x - pivot)^2.
CONVOY_CLONES void add_moments(const uint16_t* src, const Rows& rows, const float* pivot, float* sums,
                               float* squares) {
  const int64_t width = rows.width, step = rows.step;
  int64_t r = 0;
  for (; r + together <= rows.count; r += together) {
    const uint16_t* x = src + r * step;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float a = Bf16::unpack(x[c]) - pivot[c], b = Bf16::unpack(x[step + c]) - pivot[c];
      const float d = Bf16::unpack(x[2 * step + c]) - pivot[c], e = Bf16::unpack(x[3 * step + c]) - pivot[c];
      sums[c] += (a + b) + (d + e);
      squares[c] += (a * a + b * b) + (d * d + e * e);
    }
  }
  for (; r < rows.count; ++r) {
    const uint16_t* x = src + r * step;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float a = Bf16::unpack(x[c]) - pivot[c];
      sums[c] += a;
      squares[c] += a * a;
    }
  }
}

// y = x * factor + offset, of each channel.
struct Line {
  const float *factor, *offset;
};

template <bool relu>
[[gnu::always_inline]] inline void normalize_rows(const uint16_t* src, const Rows& rows, Line by,
                                                  uint16_t* dst) {
  for (int64_t r = 0; r < rows.count; ++r, src += rows.step, dst += rows.step) {
#pragma omp simd
    for (int64_t c = 0; c < rows.width; ++c) {
      const float y = Bf16::unpack(src[c]) * by.factor[c] + by.offset[c];
      const uint16_t packed = Bf16::pack(y);
      dst[c] = relu && y < 0.0f ? uint16_t{0} : packed;  // a NaN goes through
    }
  }
}
CONVOY_CLONES void normalize_plain(const uint16_t* src, const Rows& rows, Line by, uint16_t* dst) {
  normalize_rows<false>(src, rows, by, dst);
}
CONVOY_CLONES void normalize_relu(const uint16_t* src, const Rows& rows, Line by, uint16_t* dst) {
  normalize_rows<true>(src, rows, by, dst);
}

// The gradient behind the ReLU.
template <bool relu>
[[gnu::always_inline]] inline float behind(float x, float d, float factor, float offset) {
  return relu && x * factor + offset <= 0.0f ? 0.0f : d;
}

// shift += d, scale += d * (x - mean).
template <bool relu>
[[gnu::always_inline]] inline void add_products(const uint16_t* src, const uint16_t* d_dst, const Rows& rows,
                                                const float* mean, Line by, float* scale, float* shift) {
  const int64_t width = rows.width, step = rows.step;
  int64_t r = 0;
  for (; r + 2 <= rows.count; r += 2) {
    const uint16_t *x = src + r * step, *d = d_dst + r * step;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float x0 = Bf16::unpack(x[c]), x1 = Bf16::unpack(x[step + c]);
      const float d0 = behind<relu>(x0, Bf16::unpack(d[c]), by.factor[c], by.offset[c]);
      const float d1 = behind<relu>(x1, Bf16::unpack(d[step + c]), by.factor[c], by.offset[c]);
      shift[c] += d0 + d1;
      scale[c] += d0 * (x0 - mean[c]) + d1 * (x1 - mean[c]);
    }
  }
  if (r == rows.count) return;
  const uint16_t *x = src + r * step, *d = d_dst + r * step;
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) {
    const float x0 = Bf16::unpack(x[c]);
    const float d0 = behind<relu>(x0, Bf16::unpack(d[c]), by.factor[c], by.offset[c]);
    shift[c] += d0;
    scale[c] += d0 * (x0 - mean[c]);
  }
}
CONVOY_CLONES void add_products_plain(const uint16_t* src, const uint16_t* d_dst, const Rows& rows,
                                      const float* mean, Line by, float* scale, float* shift) {
  add_products<false>(src, d_dst, rows, mean, by, scale, shift);
}
CONVOY_CLONES void add_products_relu(const uint16_t* src, const uint16_t* d_dst, const Rows& rows,
                                     const float* mean, Line by, float* scale, float* shift) {
  add_products<true>(src, d_dst, rows, mean, by, scale, shift);
}

// d_src = factor * (d - means of d - (x - mean) * slope).
struct Slope {
  const float *mean, *mean_gradient, *slope;
};
template <bool relu>
[[gnu::always_inline]] inline void gradient_rows(const uint16_t* src, const uint16_t* d_dst, const Rows& rows,
                                                 Line by, Slope of, uint16_t* d_src) {
  for (int64_t r = 0; r < rows.count; ++r, src += rows.step, d_dst += rows.step, d_src += rows.step) {
#pragma omp simd
    for (int64_t c = 0; c < rows.width; ++c) {
      const float x = Bf16::unpack(src[c]);
      const float d = behind<relu>(x, Bf16::unpack(d_dst[c]), by.factor[c], by.offset[c]);
      d_src[c] = Bf16::pack(by.factor[c] * (d - of.mean_gradient[c] - (x - of.mean[c]) * of.slope[c]));
    }
  }
}
CONVOY_CLONES void gradient_plain(const uint16_t* src, const uint16_t* d_dst, const Rows& rows, Line by,
                                  Slope of, uint16_t* d_src) {
  gradient_rows<false>(src, d_dst, rows, by, of, d_src);
}
CONVOY_CLONES void gradient_relu(const uint16_t* src, const uint16_t* d_dst, const Rows& rows, Line by,
                                 Slope of, uint16_t* d_src) {
  gradient_rows<true>(src, d_dst, rows, by, of, d_src);
}

// Channels of a stripe: what a thread's stack holds of them, and a vector's.
constexpr int64_t widest = 2048, narrowest = 16;

// The channels that a thread takes at once: all of a block, unless threads would have nothing to do.
int64_t stripe_of(const NormMaps& m) {
  int64_t width = m.block;
  const auto stripes = [&] { return m.images * (m.channels / width); };
  while (width % 2 == 0 && width / 2 >= narrowest && (width > widest || stripes() < omp_get_max_threads()))
    width /= 2;
  return width;
}

// visit(image, offset of its first row, first channel, rows) for all stripes of all images, which threads share.
template <class Visit>
void for_stripes(const NormMaps& m, const Visit& visit) {
  const int64_t width = stripe_of(m);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < m.images; ++image)
    for (int64_t c = 0; c < m.channels; c += width)
      visit(image, (image * m.channels + c / m.block * m.block) * m.pixels + c % m.block, c,
            Rows{m.pixels, width, m.block});
}

// Two sums of each channel: [images][2][channels], after what two more vectors need.
struct Sums {
  float *first, *second;  // [channels]
  float* images;
  Sums(const NormMaps& m, float* scratch)
      : first(scratch), second(scratch + m.channels), images(scratch + 2 * m.channels) {}
};

// Two sums of each channel over each image: add(offset of the first row, first channel, rows, two f32 sums of [width]) is called for
// rows_in_f32 of them at a time; totals are in double, rounded once an image.
template <class Add>
void sum_images(const NormMaps& m, float* image_sums, const Add& add) {
  for_stripes(m, [&](int64_t image, int64_t at, int64_t channel, const Rows& all) {
    double totals[2][widest];
    float part[2][widest];
    for (double(&sums)[widest] : totals) std::fill_n(sums, all.width, 0.0);
    for (int64_t r = 0; r < all.count; r += rows_in_f32) {
      for (float(&sums)[widest] : part) std::fill_n(sums, all.width, 0.0f);
      const Rows rows{std::min(rows_in_f32, all.count - r), all.width, all.step};
      add(at + r * all.step, channel, rows, part[0], part[1]);
      for (int64_t i = 0; i < 2; ++i)
        for (int64_t c = 0; c < all.width; ++c) totals[i][c] += static_cast<double>(part[i][c]);
    }
    for (int64_t i = 0; i < 2; ++i)
      for (int64_t c = 0; c < all.width; ++c)
        image_sums[(2 * image + i) * m.channels + channel + c] = static_cast<float>(totals[i][c]);
  });
}

double over_images(const NormMaps& m, const float* image_sums, int64_t which, int64_t channel) {
  double sum = 0;
  for (int64_t image = 0; image < m.images; ++image)
    sum += static_cast<double>(image_sums[(2 * image + which) * m.channels + channel]);
  return sum;
}

Line line_of(const NormMaps& m, const NormFactors& by, float* factor, float* offset) {
  for (int64_t c = 0; c < m.channels; ++c) {
    factor[c] = (by.scale != nullptr ? by.scale[c] : 1.0f) / std::sqrt(by.variance[c] + by.epsilon);
    offset[c] = (by.shift != nullptr ? by.shift[c] : 0.0f) - by.mean[c] * factor[c];
  }
  return {factor, offset};
}

}  // namespace

size_t norm_scratch(const NormMaps& maps) {
  return static_cast<size_t>((2 * maps.images + 4) * maps.channels);
}

void norm_statistics(const NormMaps& m, const uint16_t* src, float* mean, float* variance, float* scratch) {
  const Sums sums(m, scratch);
  float* const pivot = sums.first;
  const int64_t apart = (m.pixels + pivots - 1) / pivots;
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < m.channels; ++c) {
    double sum = 0, count = 0;
    for (int64_t p = 0; p < m.pixels; p += apart, ++count)
      sum += static_cast<double>(Bf16::unpack(src[(c / m.block * m.pixels + p) * m.block + c % m.block]));
    pivot[c] = static_cast<float>(sum / count);
  }
  sum_images(m, sums.images, [&](int64_t at, int64_t channel, const Rows& rows, float* sum, float* squares) {
    add_moments(src + at, rows, pivot + channel, sum, squares);
  });
  const auto n = static_cast<double>(m.images * m.pixels);
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < m.channels; ++c) {
    const double from_pivot = over_images(m, sums.images, 0, c) / n,
                 squares = over_images(m, sums.images, 1, c) / n;
    mean[c] = static_cast<float>(static_cast<double>(pivot[c]) + from_pivot);
    const double spread = squares - from_pivot * from_pivot;
    variance[c] = static_cast<float>(spread < 0.0 ? 0.0 : spread);  // a NaN stays one
  }
}

void normalize(const NormMaps& m, const NormFactors& by, const uint16_t* src, uint16_t* dst, float* scratch) {
  const Sums room(m, scratch);
  const Line line = line_of(m, by, room.first, room.second);
  const auto apply = by.relu ? normalize_relu : normalize_plain;
  for_stripes(m, [&](int64_t, int64_t at, int64_t channel, const Rows& rows) {
    apply(src + at, rows, {line.factor + channel, line.offset + channel}, dst + at);
  });
}

void norm_gradient(const NormMaps& m, const NormFactors& by, const uint16_t* src, const uint16_t* d_dst,
                   uint16_t* d_src, float* d_scale, float* d_shift, float* scratch) {
  const Sums sums(m, scratch);
  const Line line = line_of(m, by, sums.first, sums.second);
  const auto part = [&](int64_t channel) { return Line{line.factor + channel, line.offset + channel}; };
  const auto add = by.relu ? add_products_relu : add_products_plain;
  sum_images(m, sums.images, [&](int64_t at, int64_t channel, const Rows& rows, float* scale, float* shift) {
    add(src + at, d_dst + at, rows, by.mean + channel, part(channel), scale, shift);
  });
  float* const mean_gradient = sums.images + 2 * m.images * m.channels;
  float* const slope = mean_gradient + m.channels;
  const auto n = static_cast<double>(m.images * m.pixels);
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < m.channels; ++c) {
    const double products = over_images(m, sums.images, 0, c), gradients = over_images(m, sums.images, 1, c);
    const double spread = static_cast<double>(by.variance[c]) + static_cast<double>(by.epsilon);
    if (d_scale != nullptr) d_scale[c] = static_cast<float>(products / std::sqrt(spread));
    if (d_shift != nullptr) d_shift[c] = static_cast<float>(gradients);
    mean_gradient[c] = static_cast<float>(gradients / n);
    slope[c] = static_cast<float>(products / n / spread);
  }
  const auto apply = by.relu ? gradient_relu : gradient_plain;
  for_stripes(m, [&](int64_t, int64_t at, int64_t channel, const Rows& rows) {
    apply(src + at, d_dst + at, rows, part(channel),
          {by.mean + channel, mean_gradient + channel, slope + channel}, d_src + at);
  });
}

}  // namespace convoy::onednn
