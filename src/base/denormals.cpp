#include "base/denormals.h"

#include <limits>

#if defined(__SSE2__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <cstdint>
#endif

namespace convoy {

void flush_denormals(bool flush) {
#if defined(__SSE2__)
  constexpr unsigned results = 1u << 15, operands = 1u << 6;  // MXCSR's FTZ and DAZ
  const unsigned others = _mm_getcsr() & ~(results | operands);
  _mm_setcsr(flush ? others | results | operands : others);
#elif defined(__aarch64__)
  constexpr uint64_t both = uint64_t{1} << 24;  // FPCR's FZ
  uint64_t control = 0;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  control = flush ? control | both : control & ~both;
  asm volatile("msr fpcr, %0" ::"r"(control));
#else
  static_cast<void>(flush);
#endif
}

bool flushes_denormals() {
  // From memory, so that no compiler does the arithmetic in advance.
  volatile float least = std::numeric_limits<float>::min(), half = 0.5f, large = 1e30f;
  volatile float denormal = std::numeric_limits<float>::denorm_min();
  return least * half == 0.0f && denormal * large == 0.0f;
}

}  // namespace convoy
