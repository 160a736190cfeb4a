// The three kinds of memory of a fused::Device on the GPU that is the thread's own, zeroed; and memory that frees itself.
#pragma once

#include <cstddef>
#include <memory>

#include "backends/fused/device.h"

namespace convoy::cudnn {

// Where there is not enough: an error that says what was asked for and what is free.
std::byte* allocate(size_t bytes, fused::Place place);
void release(std::byte* memory, fused::Place place) noexcept;

struct Release {
  fused::Place place = fused::Place::device;
  void operator()(std::byte* memory) const noexcept { release(memory, place); }
};
using Memory = std::unique_ptr<std::byte, Release>;
inline Memory make_memory(size_t bytes, fused::Place place) {
  return Memory(allocate(bytes, place), Release{place});
}

}  // namespace convoy::cudnn
