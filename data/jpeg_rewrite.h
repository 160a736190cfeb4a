// A JPEG written anew with restart markers: the same DCT coefficients, quantization and colours, so the same pixels, coded
// as one baseline scan (progressive and arithmetic ones, too) with Huffman tables of its own and a marker every few MCUs,
// so that a part of it can be decoded alone (jpeg_restarts.h). JFIF's and Adobe's markers stay, since colours hang on them;
// EXIF, ICC profiles and comments, which decoding never looks at, go.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "data/decode.h"

namespace convoy {

// Empty where the bytes are best left alone: no JPEG, one that decodes with warnings or that has such markers already, and
// whatever would not decode to exactly `pixels`, those of the encoded image (null: that has been looked at before). The bytes
// are a function of the encoded ones and the version of libjpeg.
std::vector<std::byte> with_restarts(std::span<const std::byte> encoded, const Image* pixels);

}  // namespace convoy
