#include "backends/onednn/norm_kernel.h"

#include <algorithm>
#include <cmath>

#include "base/clones.h"
#include "base/half.h"

namespace convoy::onednn {
namespace {

// Rows of a panel whose sums are kept in f32 before they go into the image's, and rows that are added at a time.
constexpr int64_t rows_in_f32 = 512, together = 4;

// rows x [width]: sums += x - pivot, squares += (x - pivot)^2.
CONVOY_CLONES void add_moments(const uint16_t* src, int64_t rows, int64_t width, const float* pivot,
                               float* sums, float* squares) {
  int64_t r = 0;
  for (; r + together <= rows; r += together) {
    const uint16_t* x = src + r * width;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float a = Bf16::unpack(x[c]) - pivot[c], b = Bf16::unpack(x[width + c]) - pivot[c];
      const float d = Bf16::unpack(x[2 * width + c]) - pivot[c],
                  e = Bf16::unpack(x[3 * width + c]) - pivot[c];
      sums[c] += (a + b) + (d + e);
      squares[c] += (a * a + b * b) + (d * d + e * e);
    }
  }
  for (; r < rows; ++r) {
    const uint16_t* x = src + r * width;
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
[[gnu::always_inline]] inline void normalize_rows(const uint16_t* src, int64_t rows, int64_t width, Line by,
                                                  uint16_t* dst) {
  for (int64_t r = 0; r < rows; ++r, src += width, dst += width) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float y = Bf16::unpack(src[c]) * by.factor[c] + by.offset[c];
      const uint16_t packed = Bf16::pack(y);
      dst[c] = relu && y < 0.0f ? uint16_t{0} : packed;  // a NaN goes through
    }
  }
}
CONVOY_CLONES void normalize_plain(const uint16_t* src, int64_t rows, int64_t width, Line by, uint16_t* dst) {
  normalize_rows<false>(src, rows, width, by, dst);
}
CONVOY_CLONES void normalize_relu(const uint16_t* src, int64_t rows, int64_t width, Line by, uint16_t* dst) {
  normalize_rows<true>(src, rows, width, by, dst);
}

// The gradient behind the ReLU.
template <bool relu>
[[gnu::always_inline]] inline float behind(float x, float d, float factor, float offset) {
  return relu && x * factor + offset <= 0.0f ? 0.0f : d;
}

// shift += d, scale += d * (x - mean).
template <bool relu>
[[gnu::always_inline]] inline void add_products(const uint16_t* src, const uint16_t* d_dst, int64_t rows,
                                                int64_t width, const float* mean, Line by, float* scale,
                                                float* shift) {
  int64_t r = 0;
  for (; r + 2 <= rows; r += 2) {
    const uint16_t *x = src + r * width, *d = d_dst + r * width;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float x0 = Bf16::unpack(x[c]), x1 = Bf16::unpack(x[width + c]);
      const float d0 = behind<relu>(x0, Bf16::unpack(d[c]), by.factor[c], by.offset[c]);
      const float d1 = behind<relu>(x1, Bf16::unpack(d[width + c]), by.factor[c], by.offset[c]);
      shift[c] += d0 + d1;
      scale[c] += d0 * (x0 - mean[c]) + d1 * (x1 - mean[c]);
    }
  }
  if (r == rows) return;
  const uint16_t *x = src + r * width, *d = d_dst + r * width;
#pragma omp simd
  for (int64_t c = 0; c < width; ++c) {
    const float x0 = Bf16::unpack(x[c]);
    const float d0 = behind<relu>(x0, Bf16::unpack(d[c]), by.factor[c], by.offset[c]);
    shift[c] += d0;
    scale[c] += d0 * (x0 - mean[c]);
  }
}
CONVOY_CLONES void add_products_plain(const uint16_t* src, const uint16_t* d_dst, int64_t rows, int64_t width,
                                      const float* mean, Line by, float* scale, float* shift) {
  add_products<false>(src, d_dst, rows, width, mean, by, scale, shift);
}
CONVOY_CLONES void add_products_relu(const uint16_t* src, const uint16_t* d_dst, int64_t rows, int64_t width,
                                     const float* mean, Line by, float* scale, float* shift) {
  add_products<true>(src, d_dst, rows, width, mean, by, scale, shift);
}

// d_src = factor * (d - means of d - (x - mean) * slope).
struct Slope {
  const float *mean, *mean_gradient, *slope;
};
template <bool relu>
[[gnu::always_inline]] inline void gradient_rows(const uint16_t* src, const uint16_t* d_dst, int64_t rows,
                                                 int64_t width, Line by, Slope of, uint16_t* d_src) {
  for (int64_t r = 0; r < rows; ++r, src += width, d_dst += width, d_src += width) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
      const float x = Bf16::unpack(src[c]);
      const float d = behind<relu>(x, Bf16::unpack(d_dst[c]), by.factor[c], by.offset[c]);
      d_src[c] = Bf16::pack(by.factor[c] * (d - of.mean_gradient[c] - (x - of.mean[c]) * of.slope[c]));
    }
  }
}
CONVOY_CLONES void gradient_plain(const uint16_t* src, const uint16_t* d_dst, int64_t rows, int64_t width,
                                  Line by, Slope of, uint16_t* d_src) {
  gradient_rows<false>(src, d_dst, rows, width, by, of, d_src);
}
CONVOY_CLONES void gradient_relu(const uint16_t* src, const uint16_t* d_dst, int64_t rows, int64_t width,
                                 Line by, Slope of, uint16_t* d_src) {
  gradient_rows<true>(src, d_dst, rows, width, by, of, d_src);
}

// visit(image, offset of a panel's first row, its first channel) for all panels of all images; images are shared by threads.
template <class Visit>
void for_panels(const NormMaps& m, const Visit& visit) {
  const int64_t panel = m.pixels * m.width;
#pragma omp parallel for schedule(static)
  for (int64_t image = 0; image < m.images; ++image)
    for (int64_t c = 0; c < m.channels; c += m.width)
      visit(image, image * m.channels * m.pixels + c / m.width * panel, c);
}

// Two sums of each channel: [images][2][channels], after what two more vectors need.
struct Sums {
  float *first, *second;  // [channels]
  float* images;
  Sums(const NormMaps& m, float* scratch)
      : first(scratch), second(scratch + m.channels), images(scratch + 2 * m.channels) {}
};

// Adds rows_in_f32 rows at a time with add(first row, rows, two f32 sums of [width]); totals are in double, rounded once an image.
template <class Add>
void sum_rows(const NormMaps& m, int64_t channel, float* image_sums, const Add& add) {
  double totals[2][max_norm_width];
  float part[2][max_norm_width];
  const int64_t width = m.width;
  std::fill_n(totals[0], width, 0.0);
  std::fill_n(totals[1], width, 0.0);
  for (int64_t r = 0; r < m.pixels; r += rows_in_f32) {
    std::fill_n(part[0], width, 0.0f);
    std::fill_n(part[1], width, 0.0f);
    add(r, std::min(rows_in_f32, m.pixels - r), part[0], part[1]);
    for (int64_t i = 0; i < 2; ++i)
      for (int64_t c = 0; c < width; ++c) totals[i][c] += static_cast<double>(part[i][c]);
  }
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t c = 0; c < width; ++c)
      image_sums[i * m.channels + channel + c] = static_cast<float>(totals[i][c]);
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
  for (int64_t c = 0; c < m.channels; ++c)
    pivot[c] = Bf16::unpack(src[c / m.width * m.pixels * m.width + c % m.width]);
  for_panels(m, [&](int64_t image, int64_t at, int64_t channel) {
    sum_rows(m, channel, sums.images + 2 * image * m.channels,
             [&](int64_t r, int64_t rows, float* sum, float* squares) {
               add_moments(src + at + r * m.width, rows, m.width, pivot + channel, sum, squares);
             });
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
  const auto rows = by.relu ? normalize_relu : normalize_plain;
  for_panels(m, [&](int64_t, int64_t at, int64_t channel) {
    rows(src + at, m.pixels, m.width, {line.factor + channel, line.offset + channel}, dst + at);
  });
}

void norm_gradient(const NormMaps& m, const NormFactors& by, const uint16_t* src, const uint16_t* d_dst,
                   uint16_t* d_src, float* d_scale, float* d_shift, float* scratch) {
  const Sums sums(m, scratch);
  const Line line = line_of(m, by, sums.first, sums.second);
  const auto part = [&](int64_t channel) { return Line{line.factor + channel, line.offset + channel}; };
  const auto add = by.relu ? add_products_relu : add_products_plain;
  for_panels(m, [&](int64_t image, int64_t at, int64_t channel) {
    sum_rows(m, channel, sums.images + 2 * image * m.channels,
             [&](int64_t r, int64_t rows, float* scale, float* shift) {
               const int64_t row = at + r * m.width;
               add(src + row, d_dst + row, rows, m.width, by.mean + channel, part(channel), scale, shift);
             });
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
  const auto rows = by.relu ? gradient_relu : gradient_plain;
  for_panels(m, [&](int64_t, int64_t at, int64_t channel) {
    rows(src + at, d_dst + at, m.pixels, m.width, part(channel),
         {by.mean + channel, mean_gradient + channel, slope + channel}, d_src + at);
  });
}

}  // namespace convoy::onednn
