#include "comm/mirror.h"

namespace convoy {

size_t Mirror::bytes_for(const Layout& layout, const ReducerOptions& options, int ranks, int local) {
  if (options.copies == nullptr) return 0;
  const bool host_adds = local > 1 || options.wire.rounds();
  const bool host_sums = ranks > 1 && !options.device_sums;
  const bool host_gives_zeros = ranks > 1 && local == 0;
  return host_adds || host_sums || host_gives_zeros ? static_cast<size_t>(layout.elements) * sizeof(float)
                                                    : 0;
}

Mirror::Mirror(Arena& arena, const ReducerOptions& options, int ranks, int local) : arena_(arena) {
  const size_t bytes = bytes_for(arena.layout(), options, ranks, local);
  if (bytes == 0) return;
  copies_ = options.copies;
  memory_ = copies_->allocate(bytes);
}

Mirror::~Mirror() {
  try {
    finish();
  } catch (...) {  // of a step that was given up
  }
}

std::span<float> Mirror::grads() {
  if (copies_ == nullptr) return arena_.grads();
  return {reinterpret_cast<float*>(memory_.get()), static_cast<size_t>(arena_.layout().elements)};
}

std::span<float> Mirror::grads(int bucket) {
  const Bucket& b = arena_.layout().buckets.at(static_cast<size_t>(bucket));
  return grads().subspan(static_cast<size_t>(b.begin), static_cast<size_t>(b.end - b.begin));
}

void Mirror::fetch(int bucket) {
  const std::span<float> here = grads(bucket);
  if (copies_ != nullptr) copies_->fetch(here.data(), arena_.grads(bucket).data(), here.size_bytes());
}

void Mirror::put(int bucket) {
  const std::span<float> here = grads(bucket);
  if (copies_ != nullptr) copies_->put(arena_.grads(bucket).data(), here.data(), here.size_bytes());
}

void Mirror::finish() {
  if (copies_ != nullptr) copies_->finish();
}

}  // namespace convoy
