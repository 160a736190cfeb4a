#include "backends/onednn/kernels_bf16.h"

#include <algorithm>

#include "base/clones.h"
#include "base/half.h"

namespace convoy::onednn {

namespace {

// What a thread does at once: clones are functions of their own, which OpenMP's loops are not.
constexpr int64_t piece = 8192;

template <class Work>
void in_pieces(size_t count, const Work& work) {
  const auto n = static_cast<int64_t>(count);
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < n; first += piece) work(first, std::min(piece, n - first));
}

// Comparisons are written so that a NaN goes through.
CONVOY_CLONES void relu_piece(const uint16_t* src, uint16_t* dst, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) dst[i] = Bf16::unpack(src[i]) < 0.0f ? uint16_t{0} : src[i];
}

CONVOY_CLONES void add_piece(const uint16_t* a, const uint16_t* b, uint16_t* dst, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) dst[i] = Bf16::pack(Bf16::unpack(a[i]) + Bf16::unpack(b[i]));
}

CONVOY_CLONES void add_relu_piece(const uint16_t* a, const uint16_t* b, uint16_t* dst, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float sum = Bf16::unpack(a[i]) + Bf16::unpack(b[i]);
    dst[i] = sum < 0.0f ? uint16_t{0} : Bf16::pack(sum);
  }
}

CONVOY_CLONES void mask_piece(const uint16_t* src, const uint16_t* mask, uint16_t* dst, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) dst[i] = Bf16::unpack(mask[i]) <= 0.0f ? uint16_t{0} : src[i];
}

CONVOY_CLONES void add_mask_piece(const uint16_t* a, const uint16_t* b, const uint16_t* mask, uint16_t* dst,
                                  int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t sum = Bf16::pack(Bf16::unpack(a[i]) + Bf16::unpack(b[i]));
    dst[i] = Bf16::unpack(mask[i]) <= 0.0f ? uint16_t{0} : sum;
  }
}

}  // namespace

void relu(const uint16_t* src, uint16_t* dst, size_t count) {
  in_pieces(count, [=](int64_t at, int64_t n) { relu_piece(src + at, dst + at, n); });
}

void add(const uint16_t* a, const uint16_t* b, uint16_t* dst, size_t count, bool then_relu) {
  const auto work = then_relu ? add_relu_piece : add_piece;
  in_pieces(count, [=](int64_t at, int64_t n) { work(a + at, b + at, dst + at, n); });
}

void sum(std::span<const uint16_t* const> parts, const uint16_t* mask, uint16_t* dst, size_t count) {
  if (parts.size() == 1 && mask != nullptr) {
    in_pieces(count, [=](int64_t at, int64_t n) { mask_piece(parts[0] + at, mask + at, dst + at, n); });
  } else if (parts.size() == 2 && mask != nullptr) {
    in_pieces(count, [=](int64_t at, int64_t n) {
      add_mask_piece(parts[0] + at, parts[1] + at, mask + at, dst + at, n);
    });
  } else if (parts.size() == 2) {
    add(parts[0], parts[1], dst, count, false);
  } else {  // element by element, since dst may be any of the parts
    in_pieces(count, [=](int64_t at, int64_t n) {
      for (int64_t i = at; i < at + n; ++i) {
        float total = Bf16::unpack(parts[0][i]);
        for (const uint16_t* part : parts.subspan(1)) total += Bf16::unpack(part[i]);
        dst[i] = mask != nullptr && Bf16::unpack(mask[i]) <= 0.0f ? uint16_t{0} : Bf16::pack(total);
      }
    });
  }
}

}  // namespace convoy::onednn
