// A minibatch on its way to the device: the loader's memory is copied piece by piece into pinned memory, and each piece
// from there while the next is copied, so that only the first is waited for. Also what a run must know of the batch
// (StepFacts) and the totals that the device counts up. Nothing here waits; the queue's owner does, before the next batch.
// Pictures are another's: picture_stage.h.
#pragma once

#include "backends/fused/placement.h"
#include "port/batch.h"

namespace convoy::fused {

class Staging {
 public:
  Staging(const Recipe& recipe, const Placement& placement, Device& device, int threads);

  std::byte* device_block() const { return device_.get(); }
  std::byte* totals() const { return totals_.get(); }
  const StepFacts* facts() const { return reinterpret_cast<const StepFacts*>(device_facts_.get()); }
  float loss_scale() const { return host_facts().loss_scale; }  // of the last batch
  size_t pinned_bytes() const { return pinned_bytes_; }

  void send(const Batch& batch, Queue& queue);
  Totals take_totals();  // and start again at zero; the queue must have finished

 private:
  StepFacts& host_facts() const { return *reinterpret_cast<StepFacts*>(pinned_.get()); }
  void send(Id tensor, const void* from, size_t bytes, Queue& queue);

  const Recipe& recipe_;
  const Placement& placement_;
  int threads_;
  size_t pinned_bytes_;
  Memory device_, pinned_, device_facts_, totals_;
};

}  // namespace convoy::fused
