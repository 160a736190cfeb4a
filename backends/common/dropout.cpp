#include "backends/common/dropout.h"

#include <algorithm>

#include "base/error.h"

namespace convoy {

namespace {

template <class T>
void dropout_one(const Batch& worker, int node, float p, std::span<const T> src, std::span<T> dst,
                 int threads) {
  const Random random = dropout_random(worker, node);
  const uint32_t threshold = dropout_threshold(p);
  const T scale = static_cast<T>(1.0 / (1.0 - static_cast<double>(p)));
  const auto size = static_cast<int64_t>(src.size());
#pragma omp parallel for num_threads(threads) schedule(static) if (size > 4096)
  for (int64_t begin = 0; begin < size; begin += 4) {
    const Philox4 words = random.block(static_cast<uint64_t>(begin / 4));
    for (int64_t e = begin; e < std::min(begin + 4, size); ++e) {
      const auto i = static_cast<size_t>(e);
      dst[i] = words[static_cast<size_t>(e - begin)] >= threshold ? src[i] * scale : T{0};
    }
  }
}

}  // namespace

template <class T>
void dropout(const Batch& batch, int node, float p, std::span<const T> src, std::span<T> dst, int threads) {
  const auto workers = static_cast<size_t>(batch.workers);
  ensure(src.size() == dst.size() && src.size() % workers == 0);
  const size_t share = src.size() / workers;
  Batch worker = batch;
  for (size_t w = 0; w < workers; ++w, ++worker.worker)
    dropout_one(worker, node, p, src.subspan(w * share, share), dst.subspan(w * share, share), threads);
}

template void dropout<float>(const Batch&, int, float, std::span<const float>, std::span<float>, int);
template void dropout<double>(const Batch&, int, float, std::span<const double>, std::span<double>, int);

}  // namespace convoy
