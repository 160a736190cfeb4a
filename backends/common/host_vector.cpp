#include "backends/common/host_vector.h"

#include <algorithm>

#include "backends/common/norms.h"
#include "backends/common/steps.h"
#include "base/error.h"

namespace convoy {

template <class T>
template <class Element>
double HostVectorOf<T>::sum_of_squares(size_t size, const Element& element) {
  const int64_t chunks = norm_chunks(size);
  if (chunk_sums_.size() < static_cast<size_t>(chunks)) chunk_sums_.resize(static_cast<size_t>(chunks));
  double* sums = chunk_sums_.data();
  const auto end = static_cast<int64_t>(size);
#pragma omp parallel for num_threads(threads_) schedule(static) if (chunks > 8)
  for (int64_t c = 0; c < chunks; ++c)
    sums[c] = chunk_norm(c * norm_chunk, std::min((c + 1) * norm_chunk, end), element);
  return sum_of_chunks(sums, chunks);
}

template <class T>
template <class Work>
void HostVectorOf<T>::in_chunks(size_t size, const Work& work) {
  const int64_t chunks = norm_chunks(size);
  const auto end = static_cast<int64_t>(size);
#pragma omp parallel for num_threads(threads_) schedule(static) if (chunks > 8)
  for (int64_t c = 0; c < chunks; ++c) work(c * norm_chunk, std::min(norm_chunk, end - c * norm_chunk));
}

template <class T>
double HostVectorOf<T>::squared_norm(std::span<const T> x) {
  return sum_of_squares(x.size(), PlainElement<T>{x.data()});
}

template <class T>
double HostVectorOf<T>::decayed_squared_norm(std::span<const T> g, std::span<const T> w, T grad_scale,
                                             T decay) {
  ensure(g.size() == w.size());
  return sum_of_squares(g.size(), DecayedElement<T>{g.data(), w.data(), static_cast<double>(grad_scale),
                                                    static_cast<double>(decay)});
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
  for (size_t i = 0; i < r.size(); ++i) average_element(r[i], s[i], keep, weight);
}

template class HostVectorOf<float>;
template class HostVectorOf<double>;

}  // namespace convoy
