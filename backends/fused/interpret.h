// The library operations (ConvForward ... ConvBackwardNorm) on the CPU, for every storage type: what cuDNN's engines are
// held to. Arithmetic in f32, statistics and the sums of batch norm in double, each output rounded once. Every element
// is summed in one fixed order, so results do not depend on `threads`. The workspace is the caller's.
#pragma once

#include "backends/fused/device.h"

namespace convoy::fused {

size_t interpreter_workspace(const Operation& operation, const Bound& bound);
void interpret(const Operation& operation, const Bound& bound, std::byte* workspace, int threads);

// The parts of it.
struct Interpreter {
  const Bound& bound;
  float* workspace;
  int threads;

  template <class T>
  T* at(Id id) const {
    return id < 0 ? nullptr : reinterpret_cast<T*>(bound.at(id));
  }
  void run(const ConvForward& op) const;
  void run(const ConvBackwardData& op) const;
  void run(const ConvBackwardWeights& op) const;
  void run(const NormForward& op) const;
  void run(const NormBackward& op) const;
  void run(const ConvStatistics& op) const;
  void run(const ConvBackwardNorm& op) const;
  void run_normalized(const ConvBackwardWeights& op) const;  // where it has a scale and a shift
};
size_t conv_workspace(const Conv& conv, const Tensor& x, const Tensor& w, const Tensor& y);  // floats
// What main-loop fusion needs beside it, floats: a convolution's operand made anew; a convolution's operands in f32.
size_t operand_workspace(Id scale, const Tensor& x);
size_t wide_workspace(const Tensor& dy, const Tensor& w, const Tensor& g);

// c[m][n] += sum over k of a[m][k] b[k][n], each in the order of k; `row` and `column` are distances in elements.
struct Operand {
  const float* data;
  int64_t row, column;
};
void add_product(int64_t rows, int64_t columns, int64_t depth, Operand a, const float* b, int64_t b_row,
                 float* c, int64_t c_row, int threads);

}  // namespace convoy::fused
