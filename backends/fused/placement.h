// Where a Recipe's tensors lie: planned ones in one block by their live ranges (backends/common/memory_plan.h), persistent
// ones behind one another, those of a batch in blocks of their own. Sizes are known before any memory is asked for.
#pragma once

#include <memory>
#include <vector>

#include "backends/fused/device.h"
#include "base/error.h"

namespace convoy::fused {

// Memory of a device, given back with its owner.
struct Release {
  Device* device = nullptr;
  Place place = Place::device;
  void operator()(std::byte* memory) const { device->release(memory, place); }
};
using Memory = std::unique_ptr<std::byte[], Release>;
Memory allocate(Device& device, size_t bytes, Place place);
class OutOfMemory final : public Error {  // what allocate() throws: the device's sentence
  using Error::Error;
};

struct Placement {
  std::vector<size_t> offset;  // by tensor, into its home's block
  size_t planned = 0, persistent = 0, batch = 0;
  size_t bytes() const { return planned + persistent + batch; }
};
Placement place(const Recipe& recipe);

// What a device's channels are padded to in this precision.
int align_of(const DeviceFacts& facts, Precision precision);

// An NHWC tensor in host memory -> NCHW f32 without padding, divided by `scale`.
void to_planes(const Tensor& tensor, const std::byte* from, float scale, std::span<float> to);

}  // namespace convoy::fused
