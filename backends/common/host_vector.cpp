#include "backends/common/host_vector.h"

#include <algorithm>
#include <array>

#include "backends/common/momentum.h"
#include "base/error.h"

namespace convoy {
namespace {

constexpr int64_t chunk = 4096;  // elements; part of the definition of the norm's bits
constexpr int64_t lanes = 16;

int64_t chunks_in(size_t size) { return (static_cast<int64_t>(size) + chunk - 1) / chunk; }

double chunk_norm(const float* x, int64_t count) {
  std::array<double, lanes> sums{};
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const double value = x[i + lane];
      sums[static_cast<size_t>(lane)] += value * value;
    }
  for (int64_t lane = 0; i + lane < count; ++lane) {
    const double value = x[i + lane];
    sums[static_cast<size_t>(lane)] += value * value;
  }
  for (size_t half = lanes / 2; half > 0; half /= 2)
    for (size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  return sums[0];
}

double pairwise(const double* sums, int64_t count) {
  if (count == 1) return sums[0];
  const int64_t left = count / 2;
  return pairwise(sums, left) + pairwise(sums + left, count - left);
}

}  // namespace

double HostVector::squared_norm(std::span<const float> x) {
  const int64_t chunks = chunks_in(x.size());
  if (chunks == 0) return 0.0;
  if (chunk_sums_.size() < static_cast<size_t>(chunks)) chunk_sums_.resize(static_cast<size_t>(chunks));
  double* sums = chunk_sums_.data();
  const auto size = static_cast<int64_t>(x.size());
#pragma omp parallel for num_threads(threads_) schedule(static) if (chunks > 8)
  for (int64_t c = 0; c < chunks; ++c)
    sums[c] = chunk_norm(x.data() + c * chunk, std::min(chunk, size - c * chunk));
  return pairwise(sums, chunks);
}

void HostVector::momentum_step(std::span<float> w, std::span<float> v, std::span<const float> g,
                               const MomentumStep& step) {
  ensure(w.size() == v.size() && w.size() == g.size());
  const int64_t chunks = chunks_in(w.size());
  const auto size = static_cast<int64_t>(w.size());
  const MomentumOf<float> factors = momentum_of(step);
#pragma omp parallel for num_threads(threads_) schedule(static) if (chunks > 8)
  for (int64_t c = 0; c < chunks; ++c)
    convoy::momentum_step(w.data() + c * chunk, v.data() + c * chunk, g.data() + c * chunk,
                          std::min(chunk, size - c * chunk), factors);
}

void HostVector::running_average(std::span<float> r, std::span<const float> s, float keep, float scale) {
  ensure(r.size() == s.size());
  const float weight = (1.0f - keep) * scale;
  if (keep == 0.0f) {  // forgets r, also where it is not finite
    for (size_t i = 0; i < r.size(); ++i) r[i] = weight * s[i];
    return;
  }
  for (size_t i = 0; i < r.size(); ++i) r[i] = keep * r[i] + weight * s[i];
}

}  // namespace convoy
