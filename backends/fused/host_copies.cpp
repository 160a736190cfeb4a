#include "backends/fused/host_copies.h"

#include <utility>

#include "backends/fused/placement.h"

namespace convoy::fused {
namespace {

class QueuedCopies final : public HostCopies {
 public:
  explicit QueuedCopies(std::shared_ptr<Device> device)
      : device_(std::move(device)), fetching_(device_->make_queue()), putting_(device_->make_queue()) {}

  std::shared_ptr<std::byte[]> allocate(size_t bytes) override {
    std::byte* const memory = fused::allocate(*device_, bytes, Place::pinned).release();
    return {memory, [device = device_](std::byte* given) { device->release(given, Place::pinned); }};
  }
  void fetch(void* to, const void* from, size_t bytes) override {
    fetching_->copy(to, from, bytes);
    fetching_->finish();
  }
  void put(void* to, const void* from, size_t bytes) override { putting_->copy(to, from, bytes); }
  void finish() override { putting_->finish(); }

 private:
  std::shared_ptr<Device> device_;  // outlives the queues
  std::unique_ptr<Queue> fetching_, putting_;
};

}  // namespace

std::unique_ptr<HostCopies> make_host_copies(std::shared_ptr<Device> device) {
  return std::make_unique<QueuedCopies>(std::move(device));
}

}  // namespace convoy::fused
