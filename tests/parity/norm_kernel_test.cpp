// Batch norm of bf16 maps by loops of ours against its definition in double, on the same rounded numbers: statistics, output and
// gradients, in both layouts, with and without factors and ReLU; and the same bits whatever the threads.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "backends/onednn/norm_kernel.h"
#include "backends/onednn/plan.h"
#include "base/half.h"
#include "runner.h"

namespace convoy::onednn {
namespace {

using Halves = std::vector<uint16_t>;
using Floats = std::vector<float>;

struct Case {
  NormMaps maps;
  bool affine, relu;
  float mean;  // of the maps: much of it is what one pass could lose
};

// [channel][image and pixel] of what lies in the layout of `maps`.
std::vector<std::vector<double>> by_channel(const NormMaps& m, const Halves& from) {
  std::vector<std::vector<double>> channels(static_cast<size_t>(m.channels));
  for (int64_t n = 0; n < m.images; ++n)
    for (int64_t c = 0; c < m.channels; ++c)
      for (int64_t p = 0; p < m.pixels; ++p) {
        const int64_t at = n * m.channels * m.pixels + (c / m.block * m.pixels + p) * m.block + c % m.block;
        channels[static_cast<size_t>(c)].push_back(
            static_cast<double>(Bf16::unpack(from[static_cast<size_t>(at)])));
      }
  return channels;
}

struct Found {
  Floats mean, variance, d_scale, d_shift;
  Halves dst, d_src;
  bool operator==(const Found&) const = default;
};

struct Given {
  Halves src, d_dst;
  Floats scale, shift;
  explicit Given(const Case& c) : src(static_cast<size_t>(c.maps.elements())), d_dst(src.size()) {
    Floats normal(src.size());
    parity::fill_normal(normal, 1);
    for (size_t i = 0; i < src.size(); ++i) src[i] = Bf16::pack(c.mean + normal[i]);
    parity::fill_normal(normal, 2);
    for (size_t i = 0; i < src.size(); ++i) d_dst[i] = Bf16::pack(normal[i]);
    scale.resize(static_cast<size_t>(c.maps.channels));
    shift.resize(scale.size());
    parity::fill_normal(scale, 3);
    parity::fill_normal(shift, 4);
  }
};

constexpr float epsilon = 1e-5f;

Found computed(const Case& c, const Given& given, int threads) {
  const Threads fixed(threads);
  const auto channels = static_cast<size_t>(c.maps.channels);
  Found f{Floats(channels), Floats(channels),         Floats(channels),
          Floats(channels), Halves(given.src.size()), given.d_dst};
  Floats scratch(norm_scratch(c.maps), std::nanf(""));
  norm_statistics(c.maps, given.src.data(), f.mean.data(), f.variance.data(), scratch.data());
  const NormFactors by{f.mean.data(),
                       f.variance.data(),
                       c.affine ? given.scale.data() : nullptr,
                       c.affine ? given.shift.data() : nullptr,
                       epsilon,
                       c.relu};
  normalize(c.maps, by, given.src.data(), f.dst.data(), scratch.data());
  norm_gradient(c.maps, by, given.src.data(), f.d_src.data(), f.d_src.data(),
                c.affine ? f.d_scale.data() : nullptr, c.affine ? f.d_shift.data() : nullptr, scratch.data());
  return f;
}

double worst(double a, float b, double size) { return std::abs(a - static_cast<double>(b)) / size; }

void check(const Case& c) {
  INFO(c.maps.images << " images, " << c.maps.channels << " channels in " << c.maps.block << ", "
                     << c.maps.pixels << " pixels, mean " << c.mean << (c.affine ? ", factors" : "")
                     << (c.relu ? ", ReLU" : ""));
  const Given given(c);
  const Found found = computed(c, given, 1);
  for (const int threads : {3, 16}) CHECK(found == computed(c, given, threads));
  const auto x = by_channel(c.maps, given.src), d = by_channel(c.maps, given.d_dst),
             y = by_channel(c.maps, found.dst), d_x = by_channel(c.maps, found.d_src);
  double statistics = 0, output = 0, gradient = 0, factors = 0;
  size_t cut = 0, doubtful = 0;
  for (size_t k = 0; k < x.size(); ++k) {
    const auto n = static_cast<double>(x[k].size());
    const double mean = std::accumulate(x[k].begin(), x[k].end(), 0.0) / n;
    double variance = 0;
    for (const double v : x[k]) variance += (v - mean) * (v - mean) / n;
    statistics = std::max({statistics, worst(mean, found.mean[k], std::abs(mean) + 1),
                           worst(variance, found.variance[k], variance)});
    const double scale = c.affine ? static_cast<double>(given.scale[k]) : 1,
                 shift = c.affine ? static_cast<double>(given.shift[k]) : 0;
    const double deviation = std::sqrt(variance + static_cast<double>(epsilon));
    double d_scale = 0, d_shift = 0;
    std::vector<double> behind(x[k].size());
    for (size_t i = 0; i < x[k].size(); ++i) {
      const double normal = (x[k][i] - mean) / deviation, wanted = normal * scale + shift;
      behind[i] = c.relu && y[k][i] <= 0
                      ? 0
                      : d[k][i];  // where the two disagree on the sign, there is nothing to tell them apart
      cut += c.relu && wanted <= 0;
      doubtful += c.relu && (wanted <= 0) != (y[k][i] <= 0);
      output = std::max(
          output, std::abs((c.relu ? std::max(wanted, 0.0) : wanted) - y[k][i]) / (std::abs(wanted) + 1));
      d_scale += behind[i] * normal;
      d_shift += behind[i];
    }
    for (size_t i = 0; i < x[k].size(); ++i) {
      const double normal = (x[k][i] - mean) / deviation;
      const double wanted = scale / deviation * (behind[i] - d_shift / n - normal * d_scale / n);
      gradient =
          std::max(gradient, std::abs(wanted - d_x[k][i]) / (std::abs(wanted) + std::abs(scale / deviation)));
    }
    if (!c.affine) continue;
    factors = std::max({factors, worst(d_scale, found.d_scale[k], std::sqrt(n)),
                        worst(d_shift, found.d_shift[k], std::sqrt(n))});
  }
  CHECK(statistics < 1e-5);
  CHECK(output < 0x1p-7);
  CHECK(gradient < 0x1p-7);
  CHECK(factors < 1e-4);
  CHECK((cut > 0) == c.relu);
  CHECK(doubtful * 1000 <= given.src.size());
}

}  // namespace

TEST_CASE("batch norm of bf16 maps by loops of ours is its definition") {
  for (const bool affine : {true, false})
    for (const bool relu : {true, false})
      for (const float mean : {0.0f, 20.0f}) {
        check({{3, 48, 35, 16}, affine, relu, mean});
        check({{3, 24, 35, 8}, affine, relu, mean});
        check({{2, 40, 1200, 40}, affine, relu, mean});  // more rows than are summed at a time
        check({{5, 2048, 1, 2048}, affine, relu, mean});
        check({{2, 4096, 2, 4096}, affine, relu, mean});  // more channels than are taken at a time
      }
}

TEST_CASE("batch norm of bf16 maps whose first pixel is far off, of one number, of equal ones") {
  const Case far{{2, 16, 500, 16}, true, false, 0};
  Given given(far);
  for (size_t c = 0; c < 16; ++c) given.src[c] = Bf16::pack(400.0f);
  const Found found = computed(far, given, 2);
  const auto x = by_channel(far.maps, given.src);
  for (size_t c = 0; c < 16; ++c) {
    double mean = 0, variance = 0;
    for (const double v : x[c]) mean += v / 1000;
    for (const double v : x[c]) variance += (v - mean) * (v - mean) / 1000;
    CHECK(std::abs(static_cast<double>(found.variance[c]) - variance) < 1e-5 * variance);
  }
  for (const NormMaps& maps : {NormMaps{1, 16, 1, 16}, NormMaps{3, 16, 7, 16}}) {
    const Case equal{maps, true, false, 0};
    Given same(equal);
    std::ranges::fill(same.src, Bf16::pack(3.25f));
    const Found constant = computed(equal, same, 2);
    CHECK(constant.mean == Floats(16, 3.25f));
    CHECK(constant.variance == Floats(16, 0.0f));
    for (size_t c = 0; c < 16; ++c)  // 3.25 less the mean is 0, after it was multiplied by 1 / sqrt(epsilon)
      CHECK(std::abs(Bf16::unpack(constant.dst[c]) - same.shift[c]) <
            0x1p-7f * std::abs(same.shift[c]) + 1e-3f);
  }
}

TEST_CASE("a NaN goes through batch norm and its ReLU") {
  const Case c{{1, 16, 9, 16}, true, true, 0};
  Given given(c);
  given.src[3] = 0x7fc0;
  const Found found = computed(c, given, 1);
  CHECK(std::isnan(found.mean[3]));
  CHECK(std::isnan(found.variance[3]));
  CHECK(std::isnan(Bf16::unpack(found.dst[3])));
  CHECK(std::isnan(Bf16::unpack(found.d_src[3])));
  CHECK_FALSE(std::isnan(Bf16::unpack(found.d_src[4])));
  const Case plain{{1, 16, 9, 16}, true, false, 0};
  Given other(plain);
  other.src[5] = Bf16::infinite;
  other.d_dst[7] = 0x7fc0;
  const Found more = computed(plain, other, 1);
  CHECK_FALSE(std::isfinite(more.variance[5]));
  CHECK(std::isnan(more.d_scale[7]));
  CHECK(std::isnan(more.d_shift[7]));
  CHECK(std::isfinite(more.d_scale[8]));
}

}  // namespace convoy::onednn
