#include "backends/common/host_vector.h"

#include <algorithm>

#include "backends/common/norms.h"
#include "backends/common/steps.h"
#include "base/error.h"

namespace convoy {
namespace {

template <class T>
size_t size_of(const NormTaskOf<T>& task) {
  ensure(task.w.empty() || task.w.size() == task.g.size());
  return task.g.size();
}
template <class T>
size_t size_of(const MomentumTaskOf<T>& task) {
  ensure(task.w.size() == task.v.size() && task.w.size() == task.g.size());
  return task.w.size();
}
template <class T>
size_t size_of(const RmspropTaskOf<T>& task) {
  ensure(task.w.size() == task.v.size() && task.w.size() == task.m.size() && task.w.size() == task.g.size());
  return task.w.size();
}
template <class T>
size_t size_of(const AverageTaskOf<T>& task) {
  ensure(task.r.size() == task.s.size());
  return task.r.size();
}

}  // namespace

// One team for all tasks: work(task, its first chunk's number in the call, begin, count), in chunks.
template <class T>
template <class Tasks, class Work>
void HostVectorOf<T>::in_chunks(const Tasks& tasks, const Work& work) {
  int64_t all = 0;
  for (const auto& task : tasks) all += norm_chunks(size_of(task));
#pragma omp parallel num_threads(threads_) if (all > 8)
  {
    int64_t before = 0;
    for (const auto& task : tasks) {
      const auto size = static_cast<int64_t>(size_of(task));
      const int64_t chunks = norm_chunks(size_of(task));
#pragma omp for schedule(static) nowait
      for (int64_t c = 0; c < chunks; ++c)
        work(task, before + c, c * norm_chunk, std::min(norm_chunk, size - c * norm_chunk));
      before += chunks;
    }
  }
}

template <class T>
void HostVectorOf<T>::squared_norms(std::span<const NormTaskOf<T>> tasks, std::span<double> norms) {
  ensure(tasks.size() == norms.size());
  int64_t all = 0;
  for (const auto& task : tasks) all += norm_chunks(size_of(task));
  if (chunk_sums_.size() < static_cast<size_t>(all)) chunk_sums_.resize(static_cast<size_t>(all));
  double* sums = chunk_sums_.data();
  in_chunks(tasks, [&](const NormTaskOf<T>& task, int64_t chunk, int64_t at, int64_t count) {
    if (task.w.empty())
      sums[chunk] = chunk_norm(at, at + count, PlainElement<T>{task.g.data()});
    else
      sums[chunk] =
          chunk_norm(at, at + count,
                     DecayedElement<T>{task.g.data(), task.w.data(), static_cast<double>(task.grad_scale),
                                       static_cast<double>(task.decay)});
  });
  for (size_t t = 0; t < tasks.size(); ++t) {
    const int64_t chunks = norm_chunks(tasks[t].g.size());
    norms[t] = sum_of_chunks(sums, chunks);
    sums += chunks;
  }
}

template <class T>
void HostVectorOf<T>::momentum_steps(std::span<const MomentumTaskOf<T>> tasks) {
  in_chunks(tasks, [](const MomentumTaskOf<T>& task, int64_t, int64_t at, int64_t count) {
    momentum_step(task.w.data() + at, task.v.data() + at, task.g.data() + at, count, task.step);
  });
}

template <class T>
void HostVectorOf<T>::rmsprop_steps(std::span<const RmspropTaskOf<T>> tasks) {
  in_chunks(tasks, [](const RmspropTaskOf<T>& task, int64_t, int64_t at, int64_t count) {
    rmsprop_step(task.w.data() + at, task.v.data() + at, task.m.data() + at, task.g.data() + at, count,
                 task.step);
  });
}

template <class T>
void HostVectorOf<T>::running_averages(std::span<const AverageTaskOf<T>> tasks) {
  in_chunks(tasks, [](const AverageTaskOf<T>& task, int64_t, int64_t at, int64_t count) {
    const T weight = (T{1} - task.keep) * task.scale;
    for (int64_t i = at; i < at + count; ++i)
      average_element(task.r[static_cast<size_t>(i)], task.s[static_cast<size_t>(i)], task.keep, weight);
  });
}

template class HostVectorOf<float>;
template class HostVectorOf<double>;

}  // namespace convoy
