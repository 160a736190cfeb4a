// The passes of kernels.h over bf16 in 16 bits (base/half.h): numbers are added in f32 and rounded once, to nearest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace convoy::onednn {

void relu(const uint16_t* src, uint16_t* dst, size_t count);  // in place too
void add(const uint16_t* a, const uint16_t* b, uint16_t* dst, size_t count, bool then_relu);
void sum(std::span<const uint16_t* const> parts, const uint16_t* mask, uint16_t* dst, size_t count);

}  // namespace convoy::onednn
