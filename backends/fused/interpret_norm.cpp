// Batch norm with its addend, ReLU and mask.
#include <algorithm>
#include <array>
#include <cmath>

#include "backends/fused/bodies.h"
#include "backends/fused/channel_sums.h"
#include "backends/fused/interpret.h"

namespace convoy::fused {
namespace {

bool bit_of(const uint8_t* mask, int64_t e) { return (mask[e / 8] >> (e % 8) & 1) != 0; }

// Whole bytes belong to one thread; the bits of neighbouring parts in the first and the last byte stay.
template <class T>
void write_mask(const Part& part, const T* y, uint8_t* mask, int threads) {
  const int64_t begin = part.begin(), end = part.end();
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t byte = begin / 8; byte < (end + 7) / 8; ++byte)
    for (int64_t e = std::max(begin, byte * 8); e < std::min(end, byte * 8 + 8); ++e) {
      const auto bit = static_cast<uint8_t>(1u << (e % 8));
      const bool let_through = !(load(y[e]) <= 0);
      mask[byte] = static_cast<uint8_t>(let_through ? mask[byte] | bit : mask[byte] & ~bit);
    }
}

}  // namespace

void Interpreter::run(const NormForward& op) const {
  const Part part{bound.tensor(op.x), op.first, op.count};
  const float *scale = at<float>(op.scale), *shift = at<float>(op.shift);
  float *means = at<float>(op.mean), *inverses = at<float>(op.inv_std), *variances = at<float>(op.variance);
  auto* mask = at<uint8_t>(op.mask);
  const double n = part.elements();
  with_storage(part.tensor, [&]<class T>(T) {
    const T *x = at<T>(op.x), *addend = at<T>(op.addend);
    T* y = at<T>(op.y);
    for_bunches(part.tensor.c, threads, [&](int from, int to) {
      Sums mean = part.sums(from, to, [&](int64_t e, size_t) { return static_cast<double>(load(x[e])); });
      for (double& m : mean) m /= n;
      const Sums squares = part.sums(from, to, [&](int64_t e, size_t lane) {
        const double centred = static_cast<double>(load(x[e])) - mean[lane];
        return centred * centred;
      });
      for (int c = from; c < to; ++c) {
        const auto lane = static_cast<size_t>(c - from);
        means[c] = static_cast<float>(mean[lane]);
        inverses[c] =
            static_cast<float>(1.0 / std::sqrt(squares[lane] / n + static_cast<double>(op.epsilon)));
        variances[c] = static_cast<float>(n > 1 ? squares[lane] / (n - 1) : 0.0);
      }
      part.each(from, to, [&](int64_t e, size_t lane) {
        const int c = from + static_cast<int>(lane);
        float value = (load(x[e]) - means[c]) * inverses[c];
        if (scale != nullptr) value *= scale[c];
        if (shift != nullptr) value += shift[c];
        if (addend != nullptr) value += load(addend[e]);
        store(y[e], mask != nullptr && value < 0 ? 0.0f : value);
      });
    });
    if (mask != nullptr) write_mask(part, y, mask, threads);
  });
}

void Interpreter::run(const NormBackward& op) const {
  const Part part{bound.tensor(op.x), op.first, op.count};
  const float *scale = at<float>(op.scale), *means = at<float>(op.mean), *inverses = at<float>(op.inv_std);
  float *dscale = at<float>(op.dscale), *dshift = at<float>(op.dshift);
  const auto* mask = at<uint8_t>(op.mask);
  const double n = part.elements();
  with_storage(part.tensor, [&]<class T>(T) {
    const T *x = at<T>(op.x), *dy = at<T>(op.dy);
    T *dx = at<T>(op.dx), *d_addend = at<T>(op.d_addend);
    const auto gradient = [&](int64_t e) { return mask != nullptr && !bit_of(mask, e) ? 0.0f : load(dy[e]); };
    for_bunches(part.tensor.c, threads, [&](int from, int to) {
      const auto normal = [&](int64_t e, size_t lane) {
        const int c = from + static_cast<int>(lane);
        return (load(x[e]) - means[c]) * inverses[c];
      };
      const Sums sum =
          part.sums(from, to, [&](int64_t e, size_t) { return static_cast<double>(gradient(e)); });
      const Sums product = part.sums(from, to, [&](int64_t e, size_t lane) {
        return static_cast<double>(gradient(e)) * static_cast<double>(normal(e, lane));
      });
      std::array<float, bunch> slope{}, even{}, along{};
      for (int c = from; c < to; ++c) {
        const auto lane = static_cast<size_t>(c - from);
        dscale[c] = static_cast<float>(product[lane]);
        dshift[c] = static_cast<float>(sum[lane]);
        slope[lane] = (scale != nullptr ? scale[c] : 1.0f) * inverses[c];
        even[lane] = static_cast<float>(sum[lane] / n);
        along[lane] = static_cast<float>(product[lane] / n);
      }
      part.each(from, to, [&](int64_t e, size_t lane) {
        const float g = gradient(e);
        store(dx[e], slope[lane] * (g - even[lane] - normal(e, lane) * along[lane]));
        if (d_addend != nullptr) store(d_addend[e], g);
      });
    });
  });
}

}  // namespace convoy::fused
