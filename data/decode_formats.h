// The decoders behind decode(): each checks the size in its header with prepare(), then fills dst.rgb.
// None lets a C++ exception pass through C code, nor a longjmp pass over an object with a destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "data/decode.h"

namespace convoy {

// `wanted` may be null: all of it.
void decode_jpeg(std::span<const std::byte> encoded, const Wanted* wanted, Image& dst, DecodeReport& report);
void decode_coefficients(std::span<const std::byte> record, const Wanted* wanted, Image& dst);
void decode_png(std::span<const std::byte> encoded, Image& dst, DecodeReport& report);

// Refuses sizes beyond the limits, otherwise makes room in dst.
void prepare(Image& dst, int64_t width, int64_t height);

}  // namespace convoy
