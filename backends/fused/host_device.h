// The host as a Device: memory from malloc, queues that are threads, code that is the interpreter (interpret.h) or the
// element bodies (bodies.h), with OpenMP inside each operation. With it everything of the fused backend but the GPU's own
// kernels runs in the tests, failures included. Results do not depend on `threads`.
#pragma once

#include <functional>
#include <memory>

#include "backends/fused/device.h"

namespace convoy::fused {

struct HostOptions {
  int threads = 1;
  int align = 1;          // channels are padded to multiples of it; a GPU's 8 or 4 for tests of padding
  size_t memory = 0;      // bytes that may be allocated; 0: no limit
  bool separate = false;  // as DeviceFacts, for tests
  // One JPEG's pixels, for tests of devices that decode.
  std::function<void(std::span<const std::byte> file, std::span<std::byte> rgb)> decode{};
};

std::unique_ptr<Device> make_host_device(const HostOptions& options);

}  // namespace convoy::fused
