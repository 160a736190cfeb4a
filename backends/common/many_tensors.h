// Element bodies of a Vector's calls (port/backend.h) for machines where a launch costs as much as a small tensor: the tasks of
// many tensors travel with one launch, as pointers and numbers, and element i of all finds its own. For the GPU's kernels;
// compiled for the host, too, where tests run them.
#pragma once

#include <utility>

#include "backends/common/norms.h"
#include "backends/common/steps.h"

namespace convoy {

constexpr size_t launch_bytes = 4000;  // what may travel: CUDA's limit is 4 KiB

template <class Task, int most>
struct ManyBody {
  Task tasks[most];
  int64_t begin[most + 1];  // of each task's elements among all
  int count;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    int low = 0, high = count;  // begin[low] <= i < begin[high]
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (begin[middle] <= i ? low : high) = middle;
    }
    tasks[low](i - begin[low]);
  }
};

// of(task): its body, and how many elements that has. launch(body, count) runs body(i) for all 0 <= i < count.
template <class Body, class Tasks, class Of, class Launch>
void launch_many(const Tasks& tasks, const Of& of, const Launch& launch) {
  constexpr int most = (launch_bytes - 2 * sizeof(int64_t)) / (sizeof(Body) + sizeof(int64_t));
  ManyBody<Body, most> many{};
  static_assert(most > 1 && sizeof many <= launch_bytes);
  const auto go = [&] {
    launch(many, many.begin[many.count]);
    many.count = 0;
  };
  for (const auto& task : tasks) {
    const auto [body, elements] = of(task);
    many.tasks[many.count] = body;
    many.begin[many.count + 1] = many.begin[many.count] + elements;
    if (++many.count == most) go();
  }
  if (many.count > 0) go();
}

struct MomentumBody {
  float *w, *v;
  const float* g;
  MomentumStep step;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    if (step.lookahead > 0)
      nesterov_element(w[i], v[i], g[i], step);
    else
      momentum_element(w[i], v[i], g[i], step);
  }
};
struct RmspropBody {
  float *w, *v, *m;
  const float* g;
  RmspropStep step;
  CONVOY_PORTABLE void operator()(int64_t i) const { rmsprop_element(w[i], v[i], m[i], g[i], step); }
};
struct AverageBody {
  float* r;
  const float* s;
  float keep, weight;
  CONVOY_PORTABLE void operator()(int64_t i) const { average_element(r[i], s[i], keep, weight); }
};
struct NormBody {      // element i: lane i % norm_lanes of chunk i / norm_lanes, into lanes[i]
  const float *g, *w;  // no w: of g alone
  double scale, decay;
  int64_t size;
  double* lanes;
  CONVOY_PORTABLE void operator()(int64_t i) const {
    if (w == nullptr)
      LaneNormBody<PlainElement<float>>{{g}, lanes, size}(i);
    else
      LaneNormBody<DecayedElement<float>>{{g, w, scale, decay}, lanes, size}(i);
  }
};

inline std::pair<MomentumBody, int64_t> body_of(const MomentumTaskOf<float>& t) {
  return {{t.w.data(), t.v.data(), t.g.data(), t.step}, static_cast<int64_t>(t.w.size())};
}
inline std::pair<RmspropBody, int64_t> body_of(const RmspropTaskOf<float>& t) {
  return {{t.w.data(), t.v.data(), t.m.data(), t.g.data(), t.step}, static_cast<int64_t>(t.w.size())};
}
inline std::pair<AverageBody, int64_t> body_of(const AverageTaskOf<float>& t) {
  return {{t.r.data(), t.s.data(), t.keep, (1.0f - t.keep) * t.scale}, static_cast<int64_t>(t.r.size())};
}
inline std::pair<NormBody, int64_t> body_of(const NormTaskOf<float>& t, double* lanes) {
  return {{t.g.data(), t.w.empty() ? nullptr : t.w.data(), static_cast<double>(t.grad_scale),
           static_cast<double>(t.decay), static_cast<int64_t>(t.g.size()), lanes},
          norm_chunks(t.g.size()) * norm_lanes};
}

}  // namespace convoy
