// 8-bit RGB to baseline JPEG (4:2:0, slow-integer DCT) with libjpeg-turbo, for the sets that convoy makes itself.
// The bytes are a function of the pixels and the quality.
#pragma once

#include <cstddef>
#include <vector>

#include "data/decode.h"

namespace convoy {

std::vector<std::byte> encode_jpeg(const Image& image, int quality);

}  // namespace convoy
