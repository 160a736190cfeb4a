// A JPEG written anew as its DCT coefficients (coefficient_record.h), baseline, progressive or arithmetic: the same
// coefficients and quantization, so the same pixels.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "data/decode.h"

namespace convoy {

// Empty where the bytes are best left alone: no JPEG, one that decodes with warnings, not grey or YCbCr with chroma of the
// usual four samplings, and whatever would not decode to exactly `pixels`, those of the encoded image (null: that has been
// looked at before). The bytes are a function of the encoded ones alone.
std::vector<std::byte> as_coefficients(std::span<const std::byte> encoded, const Image* pixels);

}  // namespace convoy
