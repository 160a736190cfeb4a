// A tensor of the fused plan: four dimensions, NHWC in memory whatever its use (a vector of C channels is 1x1x1xC, a
// filter of K outputs is Kx(R)x(S)xC: n = K, h = R, w = S). Channels are padded with zeros to what the device's kernels
// want; `channels` counts those that mean something. Tensors own nothing: their memory is the executor's or the arena's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace convoy::fused {

enum class Type : uint8_t {
  f32,
  f16,
  bf16,
  u8,    // pooling's choices: which element of the window was largest
  i32,   // labels
  bits,  // one bit an element, lowest first: what a ReLU let through
};

struct Tensor {
  // planned: offset by live range; persistent: the device's own copies of weights, and what inference reads; arena: the
  // caller's canonical f32 memory at `address`; batch: what arrives with each minibatch (Recipe names which is which).
  enum class Home : uint8_t { planned, persistent, arena, batch };
  std::string name{};  // "layer1.0.conv1", "layer1.0.conv1.weight", for messages
  Type type = Type::f32;
  int n = 1, h = 1, w = 1, c = 1;
  int channels = 1;
  Home home = Home::planned;
  float* address = nullptr;  // Home::arena only

  int64_t positions() const { return int64_t{n} * h * w; }
  int64_t elements() const { return positions() * c; }
  size_t bytes() const {
    const auto count = static_cast<size_t>(elements());
    switch (type) {
      case Type::f32:
      case Type::i32:
        return 4 * count;
      case Type::f16:
      case Type::bf16:
        return 2 * count;
      case Type::u8:
        return count;
      case Type::bits:
        return (count + 7) / 8;
    }
    return 0;
  }
};

using Id = int;  // into Recipe::tensors; -1: there is none

}  // namespace convoy::fused
