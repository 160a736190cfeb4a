// An image that the device itself resizes, mirrors and normalizes, and perhaps decodes: what a Batch holds in the place of
// f32 planes for a plan that takes it (DeviceInfo::input). Pixels are Pillow's in integers, as data/resize.h computes them,
// and normalizing is two IEEE divisions: the planes that a device makes of a decoded picture are the loader's own, bit for
// bit. All memory is the loader's, for as long as the Batch is valid.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace convoy {

// What of an image's way into the network a device does, each more than the one before. planes: nothing, it is given f32.
// pictures: all but decoding. files: decoding, too, of such JPEGs as its decoder reads; other pixels than the loader's.
enum class DeviceInput : uint8_t { planes, pictures, files };

// One side of a resize: position i of the network's input is the sum of `taps` neighbouring pixels from first[i] on times
// their weights, of 22 bits behind the point, plus a half, cut to 8 bits.
struct PictureSide {
  int taps = 0;
  std::span<const int32_t> first{}, weights{};  // [side], [side][taps]
};

struct Picture {
  std::span<const std::byte>
      bytes{};        // RGB [height][width][3], or a file; none for padding, whose planes are zero
  bool file = false;  // a JPEG of width x height pixels
  int width = 0, height = 0;
  PictureSide across{}, down{};
  bool down_first = false;  // which of the two passes rounds first
  bool mirror = false;
};

// out[c] = (value / divisor - mean[c]) / std[c]; mean and std in the order of the planes.
struct Shades {
  float divisor = 255.0f;
  std::array<float, 3> mean{}, std{1.0f, 1.0f, 1.0f};
  bool bgr = false;
};

}  // namespace convoy
