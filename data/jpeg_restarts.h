// A smaller JPEG out of one with restart markers: only the restart intervals that a part of the image needs, so that nothing
// else is decoded, Huffman codes included. Between two markers lies a piece of a row of MCUs (the blocks of 8 x 8 samples that
// are coded together) that depends on no other. What is copied decodes to the same pixels, but for the edges where
// neighbours are missing: cut_out() leaves a margin. (ITU-T T.81, B and F.1.)
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "data/decode.h"

namespace convoy {

struct RestartFrame {
  int width = 0, height = 0;
  int mcu_width = 0, mcu_height = 0;  // in pixels
  int mcus_across = 0, mcus_down = 0;
  int interval = 0;    // MCUs from marker to marker: a divisor of mcus_across
  size_t size_at = 0;  // where the frame header has height and width
  size_t scan = 0;     // where the coded data begins
  // Of the encoded bytes, in order: all that decoding depends on. Files have about ten; no memory is asked for, since most
  // turn out to have no markers.
  static constexpr size_t most_headers = 32;
  std::array<std::span<const std::byte>, most_headers> parts{};
  size_t count = 0;
  std::span<const std::span<const std::byte>> headers() const { return std::span(parts).first(count); }
};

// Nothing unless the image is a baseline one of 8 bits and one scan whose rows begin at restart markers.
std::optional<RestartFrame> read_restart_frame(std::span<const std::byte> encoded);

// Fills `smaller` with a JPEG of the returned part of the image, which holds `wanted` and a margin; or nothing, if the
// markers are not what they should be as far as they are needed.
std::optional<Crop> cut_out(const RestartFrame& frame, std::span<const std::byte> encoded, const Crop& wanted,
                            std::vector<std::byte>& smaller);

}  // namespace convoy
