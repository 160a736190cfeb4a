// What a device offers where the host is to work on what lies in the device's memory: memory of the host that the device
// reaches without detour, and copies there and back that run beside the device's other work, each way on its own. Those of
// one way run in the order in which they were asked for. One thread at a time may fetch, and one, perhaps another, put and
// finish.
#pragma once

#include <cstddef>
#include <memory>

namespace convoy {

class HostCopies {
 public:
  virtual ~HostCopies() = default;
  // Page-locked and zeroed; may outlive this.
  virtual std::shared_ptr<std::byte[]> allocate(size_t bytes) = 0;
  // From the device's memory, where it must be complete; returns when it is there.
  virtual void fetch(void* to, const void* from, size_t bytes) = 0;
  // To the device's memory; both are left alone until finish().
  virtual void put(void* to, const void* from, size_t bytes) = 0;
  virtual void finish() = 0;  // returns when all that was put is there; throws what went wrong on the way
};

}  // namespace convoy
