// The few element-wise passes that oneDNN would do in more passes over memory than needed: the residual sum with its
// ReLU, and the sum of gradient contributions with the ReLU's mask. They run over the physical elements of a layout
// (zero padding of blocked layouts stays zero), so all operands have one layout. Threads share the range in fixed
// pieces; no sum crosses elements, so results do not depend on their number.
#pragma once

#include <cstddef>
#include <span>

namespace convoy::onednn {

void relu(const float* src, float* dst, size_t count);  // in place too
void add(const float* a, const float* b, float* dst, size_t count, bool then_relu);

// dst = parts[0] + parts[1] + ..., zero where `mask` (if any) is not above zero; dst may be one of the parts.
void sum(std::span<const float* const> parts, const float* mask, float* dst, size_t count);

}  // namespace convoy::onednn
