// The two matrix products that convolutions and linear layers are made of. All matrices are row-major, `a_row` etc. are
// distances in elements. Work is divided over elements of the result only, each summed in one fixed order, so results
// do not depend on the number of threads.
#pragma once

#include <cstdint>

namespace convoy::reference {

template <class T>
struct Matrix {
  T* data;
  int64_t row;         // from one row to the next
  int64_t column = 1;  // from one column to the next; only `a` of add_combined_rows may differ from 1
};

// c[m][n] = sum over k of a[m][k] b[n][k]
template <class T>
void dot_rows(int64_t rows, int64_t columns, int64_t depth, Matrix<const T> a, Matrix<const T> b, Matrix<T> c,
              int threads);

// c[m][k] += sum over n of a[m][n] b[n][k]
template <class T>
void add_combined_rows(int64_t rows, int64_t terms, int64_t columns, Matrix<const T> a, Matrix<const T> b,
                       Matrix<T> c, int threads);

}  // namespace convoy::reference
