// How large a Picture may be, so that the memory that pictures lie in and travel through has a fixed size. A loader resizes a
// larger one itself, to the same bits, and decodes a larger file.
#pragma once

#include <algorithm>
#include <cstddef>

namespace convoy {

// Of pixels, or of a file, for a network's input of side x side: twice its f32 planes, at least 1 MiB.
constexpr size_t picture_bytes_limit(int side) {
  return std::max(size_t{2} * 3 * sizeof(float) * static_cast<size_t>(side) * static_cast<size_t>(side),
                  size_t{1} << 20);
}
constexpr size_t decoded_bytes_limit = size_t{48} << 20;  // of a file's pixels
// Of the filters of both sides: the longest side of an image (65,500) at two taps a pixel, twice.
constexpr size_t filter_bytes_limit = size_t{4} << 20;

}  // namespace convoy
