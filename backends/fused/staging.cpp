#include "backends/fused/staging.h"

#include <algorithm>
#include <cstring>

namespace convoy::fused {
namespace {

constexpr size_t facts_room = 256;  // before the batch's tensors in pinned memory
constexpr size_t piece = size_t{4} << 20;

void copy_in_parallel(std::byte* to, const std::byte* from, size_t bytes, int threads) {
  const size_t share = (bytes / static_cast<size_t>(threads) + 64) / 64 * 64;
#pragma omp parallel for num_threads(threads) schedule(static) if (bytes > (size_t{1} << 20))
  for (int t = 0; t < threads; ++t) {
    const size_t begin = std::min(bytes, share * static_cast<size_t>(t));
    std::memcpy(to + begin, from + begin, std::min(share, bytes - begin));
  }
}

}  // namespace

Staging::Staging(const Recipe& recipe, const Placement& placement, Device& device, int threads)
    : recipe_(recipe),
      placement_(placement),
      threads_(threads),
      pinned_bytes_(facts_room + placement.batch),
      device_(allocate(device, placement.batch, Place::device)),
      pinned_(allocate(device, pinned_bytes_, Place::pinned)),
      device_facts_(allocate(device, sizeof(StepFacts), Place::device)),
      totals_(allocate(device, sizeof(Totals), Place::shared)) {
  static_assert(sizeof(Totals) == 5 * sizeof(int64_t) && sizeof(StepFacts) <= facts_room);
}

void Staging::send(Id tensor, const void* from, size_t bytes, Queue& queue) {
  if (tensor < 0 || bytes == 0) return;
  const size_t offset = placement_.offset[static_cast<size_t>(tensor)];
  for (size_t done = 0; done < bytes; done += piece) {
    const size_t count = std::min(piece, bytes - done);
    std::byte* pinned = pinned_.get() + facts_room + offset + done;
    copy_in_parallel(pinned, static_cast<const std::byte*>(from) + done, count, threads_);
    queue.copy(device_.get() + offset + done, pinned, count);
  }
}

void Staging::send(const Batch& batch, Queue& queue) {
  host_facts() = {.seed = batch.seed,
                  .step = batch.step,
                  .worker = batch.worker,
                  .workers = batch.workers,
                  .loss_scale = batch.loss_scale};
  queue.copy(device_facts_.get(), pinned_.get(), sizeof(StepFacts));
  send(recipe_.labels, batch.labels.data(), batch.labels.size_bytes(), queue);
  send(recipe_.top_gradient, batch.top_gradient.data(), batch.top_gradient.size_bytes(), queue);
  send(recipe_.images, batch.images.data(), batch.images.size_bytes(), queue);
}

Totals Staging::take_totals() {
  auto* counted = reinterpret_cast<int64_t*>(totals_.get());
  const Totals totals{counted[0], counted[1], counted[2], counted[3], counted[4]};
  std::fill(counted, counted + 5, int64_t{0});
  return totals;
}

}  // namespace convoy::fused
