// Rounding to a 16-bit format by its definition, in double: the model that src/base/half.h and the wire are held to.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace convoy::testing {

// `digits` significant bits, multiples of 2^least at the finest, infinity beyond `largest`; ties to even.
inline double rounded(double value, int digits, int least, double largest) {
  if (value == 0 || !std::isfinite(value)) return value;
  int exponent = 0;
  std::frexp(value, &exponent);
  const int spacing = std::max(exponent - digits, least);
  const double result = std::ldexp(std::nearbyint(std::ldexp(value, -spacing)), spacing);
  return std::abs(result) > largest ? std::copysign(std::numeric_limits<double>::infinity(), value) : result;
}

inline double to_fp16(double value) { return rounded(value, 11, -24, 65504.0); }
inline double to_bf16(double value) { return rounded(value, 8, -133, 0x1.fep127); }

}  // namespace convoy::testing
