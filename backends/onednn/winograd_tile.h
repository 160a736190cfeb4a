// The transforms of F(2x2, 3x3), on vectors of channels or outputs: 4 x 4 and 2 x 2 numbers by rows. Included by
// winograd_product.h.
#pragma once

#include <cstdint>
#include <cstring>

namespace convoy::onednn::winograd {

#define CONVOY_INLINE [[gnu::always_inline]] inline

using Vec8 [[gnu::vector_size(32)]] = float;
using Vec16 [[gnu::vector_size(64)]] = float;
template <class V>
constexpr int64_t lanes = static_cast<int64_t>(sizeof(V) / sizeof(float));

template <class V>
CONVOY_INLINE void load(V& v, const float* from) {
  std::memcpy(&v, from, sizeof v);
}
template <class V>
CONVOY_INLINE void store(const V& v, float* to) {
  std::memcpy(to, &v, sizeof v);
}

// B^T d B, in place: rows, then columns.
template <class V>
CONVOY_INLINE void transform_source(V (&d)[16]) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    V* r = d + 4 * i;
    const V a = r[0] - r[2], b = r[1] + r[2], c = r[2] - r[1], e = r[1] - r[3];
    r[0] = a, r[1] = b, r[2] = c, r[3] = e;
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    V* c = d + j;
    const V a = c[0] - c[8], b = c[4] + c[8], f = c[8] - c[4], e = c[4] - c[12];
    c[0] = a, c[4] = b, c[8] = f, c[12] = e;
  }
}

// A^T m A: 4 x 4 to 2 x 2.
template <class V>
CONVOY_INLINE void transform_product(const V (&m)[16], V (&y)[4]) {
  V t[8];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    t[j] = m[j] + m[4 + j] + m[8 + j];
    t[4 + j] = m[4 + j] - m[8 + j] - m[12 + j];
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    y[2 * i] = t[4 * i] + t[4 * i + 1] + t[4 * i + 2];
    y[2 * i + 1] = t[4 * i + 1] - t[4 * i + 2] - t[4 * i + 3];
  }
}

// A y A^T: 2 x 2 to 4 x 4.
template <class V>
CONVOY_INLINE void transform_gradient(const V (&y)[4], V (&w)[16]) {
  V t[8];  // rows of y A^T
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    t[4 * i] = y[2 * i];
    t[4 * i + 1] = y[2 * i] + y[2 * i + 1];
    t[4 * i + 2] = y[2 * i] - y[2 * i + 1];
    t[4 * i + 3] = -y[2 * i + 1];
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    w[j] = t[j];
    w[4 + j] = t[j] + t[4 + j];
    w[8 + j] = t[j] - t[4 + j];
    w[12 + j] = -t[4 + j];
  }
}

// G g G^T: 3 x 3 to 4 x 4.
template <class V>
CONVOY_INLINE void transform_taps(const V (&g)[9], V (&u)[16]) {
  V t[12];  // G g
#pragma GCC unroll 3
  for (int j = 0; j < 3; ++j) {
    const V ends = g[j] + g[6 + j];
    t[j] = g[j];
    t[3 + j] = (ends + g[3 + j]) * 0.5f;
    t[6 + j] = (ends - g[3 + j]) * 0.5f;
    t[9 + j] = g[6 + j];
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const V* r = t + 3 * i;
    const V ends = r[0] + r[2];
    u[4 * i] = r[0];
    u[4 * i + 1] = (ends + r[1]) * 0.5f;
    u[4 * i + 2] = (ends - r[1]) * 0.5f;
    u[4 * i + 3] = r[2];
  }
}

// G^T u G: 4 x 4 to 3 x 3.
template <class V>
CONVOY_INLINE void gather_taps(const V (&u)[16], V (&g)[9]) {
  V t[12];  // rows of G^T u
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    t[j] = u[j] + (u[4 + j] + u[8 + j]) * 0.5f;
    t[4 + j] = (u[4 + j] - u[8 + j]) * 0.5f;
    t[8 + j] = u[12 + j] + (u[4 + j] + u[8 + j]) * 0.5f;
  }
#pragma GCC unroll 3
  for (int i = 0; i < 3; ++i) {
    const V* r = t + 4 * i;
    g[3 * i] = r[0] + (r[1] + r[2]) * 0.5f;
    g[3 * i + 1] = (r[1] - r[2]) * 0.5f;
    g[3 * i + 2] = r[3] + (r[1] + r[2]) * 0.5f;
  }
}

}  // namespace convoy::onednn::winograd
