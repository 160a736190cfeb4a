#include "backends/reference/matrix.h"

#include <algorithm>
#include <array>

namespace convoy::reference {
namespace {

constexpr int64_t tile = 32;      // rows and columns of a tile that stays in cache
constexpr int64_t stretch = 512;  // columns of a tile in add_combined_rows
constexpr int64_t together = 4;   // rows of b taken at once
template <class T>
constexpr int64_t lanes = 32 / sizeof(T);  // independent partial sums, so that the compiler may vectorize

// Dot products of one row with four, as `lanes` partial sums each, added pairwise at the end.
template <class T>
std::array<T, together> dots(const T* __restrict a, const T* const* b, int64_t depth) {
  const T* __restrict b0 = b[0], * __restrict b1 = b[1], * __restrict b2 = b[2], * __restrict b3 = b[3];
  constexpr int64_t L = lanes<T>;
  T s0[L] = {}, s1[L] = {}, s2[L] = {}, s3[L] = {};
  int64_t k = 0;
  for (; k + L <= depth; k += L)
    for (int64_t lane = 0; lane < L; ++lane) {
      s0[lane] += a[k + lane] * b0[k + lane];
      s1[lane] += a[k + lane] * b1[k + lane];
      s2[lane] += a[k + lane] * b2[k + lane];
      s3[lane] += a[k + lane] * b3[k + lane];
    }
  for (int64_t lane = 0; k + lane < depth; ++lane) {
    s0[lane] += a[k + lane] * b0[k + lane];
    s1[lane] += a[k + lane] * b1[k + lane];
    s2[lane] += a[k + lane] * b2[k + lane];
    s3[lane] += a[k + lane] * b3[k + lane];
  }
  for (int64_t half = L / 2; half > 0; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane) {
      s0[lane] += s0[lane + half];
      s1[lane] += s1[lane + half];
      s2[lane] += s2[lane + half];
      s3[lane] += s3[lane + half];
    }
  return {s0[0], s1[0], s2[0], s3[0]};
}

template <class T>
void dot_tile(int64_t m0, int64_t m1, int64_t n0, int64_t n1, int64_t depth, Matrix<const T> a,
              Matrix<const T> b, Matrix<T> c) {
  for (int64_t n = n0; n < n1; n += together) {
    const T* rows[together];
    for (int64_t j = 0; j < together; ++j) rows[j] = b.data + std::min(n + j, n1 - 1) * b.row;
    for (int64_t m = m0; m < m1; ++m) {
      const auto sums = dots(a.data + m * a.row, rows, depth);
      for (int64_t j = 0; j < std::min(together, n1 - n); ++j)
        c.data[m * c.row + n + j] = sums[static_cast<size_t>(j)];
    }
  }
}

template <class T>
void combine_tile(int64_t m0, int64_t m1, int64_t terms, int64_t k0, int64_t k1, Matrix<const T> a,
                  Matrix<const T> b, Matrix<T> c) {
  const int64_t columns = k1 - k0;
  int64_t n = 0;
  for (; n + together <= terms; n += together) {
    const T* __restrict b0 = b.data + n * b.row + k0, * __restrict b1 = b0 + b.row, * __restrict b2 = b1 + b.row, * __restrict b3 = b2 + b.row;
    for (int64_t m = m0; m < m1; ++m) {
      const T* factors = a.data + m * a.row + n * a.column;
      const T a0 = factors[0], a1 = factors[a.column], a2 = factors[2 * a.column], a3 = factors[3 * a.column];
      T* __restrict to = c.data + m * c.row + k0;
      for (int64_t k = 0; k < columns; ++k) to[k] = to[k] + a0 * b0[k] + a1 * b1[k] + a2 * b2[k] + a3 * b3[k];
    }
  }
  for (; n < terms; ++n)
    for (int64_t m = m0; m < m1; ++m) {
      const T factor = a.data[m * a.row + n * a.column];
      const T* __restrict from = b.data + n * b.row + k0;
      T* __restrict to = c.data + m * c.row + k0;
      for (int64_t k = 0; k < columns; ++k) to[k] += factor * from[k];
    }
}

}  // namespace

template <class T>
void dot_rows(int64_t rows, int64_t columns, int64_t depth, Matrix<const T> a, Matrix<const T> b, Matrix<T> c,
              int threads) {
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
  for (int64_t m = 0; m < rows; m += tile)
    for (int64_t n = 0; n < columns; n += tile)
      dot_tile(m, std::min(m + tile, rows), n, std::min(n + tile, columns), depth, a, b, c);
}

template <class T>
void add_combined_rows(int64_t rows, int64_t terms, int64_t columns, Matrix<const T> a, Matrix<const T> b,
                       Matrix<T> c, int threads) {
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
  for (int64_t m = 0; m < rows; m += tile)
    for (int64_t k = 0; k < columns; k += stretch)
      combine_tile(m, std::min(m + tile, rows), terms, k, std::min(k + stretch, columns), a, b, c);
}

template void dot_rows<float>(int64_t, int64_t, int64_t, Matrix<const float>, Matrix<const float>,
                              Matrix<float>, int);
template void dot_rows<double>(int64_t, int64_t, int64_t, Matrix<const double>, Matrix<const double>,
                               Matrix<double>, int);
template void add_combined_rows<float>(int64_t, int64_t, int64_t, Matrix<const float>, Matrix<const float>,
                                       Matrix<float>, int);
template void add_combined_rows<double>(int64_t, int64_t, int64_t, Matrix<const double>, Matrix<const double>,
                                        Matrix<double>, int);

}  // namespace convoy::reference
