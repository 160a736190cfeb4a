#include "backends/common/host_vector.h"

#include <algorithm>
#include <array>

#include "backends/common/steps.h"
#include "base/error.h"

namespace convoy {
namespace {

constexpr int64_t chunk = 4096;  // elements; part of the definition of the norm's bits
constexpr int64_t lanes = 16;

int64_t chunks_in(size_t size) { return (static_cast<int64_t>(size) + chunk - 1) / chunk; }

// Of the elements [i, end), whose values `element` gives in double.
template <class Element>
double chunk_norm(int64_t i, int64_t end, const Element& element) {
  std::array<double, lanes> sums{};
  for (; i + lanes <= end; i += lanes)
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const double value = element(i + lane);
      sums[static_cast<size_t>(lane)] += value * value;
    }
  for (int64_t lane = 0; i + lane < end; ++lane) {
    const double value = element(i + lane);
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

template <class T>
template <class Element>
double HostVectorOf<T>::sum_of_squares(size_t size, const Element& element) {
  const int64_t chunks = chunks_in(size);
  if (chunks == 0) return 0.0;
  if (chunk_sums_.size() < static_cast<size_t>(chunks)) chunk_sums_.resize(static_cast<size_t>(chunks));
  double* sums = chunk_sums_.data();
  const auto end = static_cast<int64_t>(size);
#pragma omp parallel for num_threads(threads_) schedule(static) if (chunks > 8)
  for (int64_t c = 0; c < chunks; ++c)
    sums[c] = chunk_norm(c * chunk, std::min((c + 1) * chunk, end), element);
  return pairwise(sums, chunks);
}

template <class T>
template <class Work>
void HostVectorOf<T>::in_chunks(size_t size, const Work& work) {
  const int64_t chunks = chunks_in(size);
  const auto end = static_cast<int64_t>(size);
#pragma omp parallel for num_threads(threads_) schedule(static) if (chunks > 8)
  for (int64_t c = 0; c < chunks; ++c) work(c * chunk, std::min(chunk, end - c * chunk));
}

template <class T>
double HostVectorOf<T>::squared_norm(std::span<const T> x) {
  return sum_of_squares(x.size(), [from = x.data()](int64_t i) { return static_cast<double>(from[i]); });
}

template <class T>
double HostVectorOf<T>::decayed_squared_norm(std::span<const T> g, std::span<const T> w, T grad_scale,
                                             T decay) {
  ensure(g.size() == w.size());
  const double by = static_cast<double>(grad_scale), d = static_cast<double>(decay);
  return sum_of_squares(g.size(), [=, g = g.data(), w = w.data()](int64_t i) {
    return by * static_cast<double>(g[i]) + d * static_cast<double>(w[i]);
  });
}

template <class T>
void HostVectorOf<T>::momentum_step(std::span<T> w, std::span<T> v, std::span<const T> g,
                                    const MomentumStepOf<T>& step) {
  ensure(w.size() == v.size() && w.size() == g.size());
  in_chunks(w.size(), [&](int64_t at, int64_t count) {
    convoy::momentum_step(w.data() + at, v.data() + at, g.data() + at, count, step);
  });
}

template <class T>
void HostVectorOf<T>::rmsprop_step(std::span<T> w, std::span<T> v, std::span<T> m, std::span<const T> g,
                                   const RmspropStepOf<T>& step) {
  ensure(w.size() == v.size() && w.size() == m.size() && w.size() == g.size());
  in_chunks(w.size(), [&](int64_t at, int64_t count) {
    convoy::rmsprop_step(w.data() + at, v.data() + at, m.data() + at, g.data() + at, count, step);
  });
}

template <class T>
void HostVectorOf<T>::running_average(std::span<T> r, std::span<const T> s, T keep, T scale) {
  ensure(r.size() == s.size());
  const T weight = (T{1} - keep) * scale;
  if (keep == T{0}) {  // forgets r, also where it is not finite
    for (size_t i = 0; i < r.size(); ++i) r[i] = weight * s[i];
    return;
  }
  for (size_t i = 0; i < r.size(); ++i) r[i] = keep * r[i] + weight * s[i];
}

template class HostVectorOf<float>;
template class HostVectorOf<double>;

}  // namespace convoy
