#include "backends/fused/interpret.h"

#include <algorithm>

#include "base/error.h"

namespace convoy::fused {
namespace {

constexpr int64_t tile_rows = 2, tile_columns = 16;  // what stays in the registers of any x86

// One tile of c; its size is known to the compiler except at the edges.
template <int64_t rows>
void full_tile(int64_t depth, Operand a, const float* b, int64_t b_row, float* c, int64_t c_row) {
  float sum[rows][tile_columns];
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < tile_columns; ++n) sum[m][n] = c[m * c_row + n];
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t m = 0; m < rows; ++m) {
      const float factor = a.data[m * a.row + k * a.column];
      for (int64_t n = 0; n < tile_columns; ++n) sum[m][n] += factor * b[k * b_row + n];
    }
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < tile_columns; ++n) c[m * c_row + n] = sum[m][n];
}

void edge_tile(int64_t rows, int64_t columns, int64_t depth, Operand a, const float* b, int64_t b_row,
               float* c, int64_t c_row) {
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < columns; ++n) {
      float sum = c[m * c_row + n];
      for (int64_t k = 0; k < depth; ++k) sum += a.data[m * a.row + k * a.column] * b[k * b_row + n];
      c[m * c_row + n] = sum;
    }
}

}  // namespace

void add_product(int64_t rows, int64_t columns, int64_t depth, Operand a, const float* b, int64_t b_row,
                 float* c, int64_t c_row, int threads) {
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
  for (int64_t n = 0; n < columns; n += tile_columns)
    for (int64_t m = 0; m < rows; m += tile_rows) {
      const Operand left{a.data + m * a.row, a.row, a.column};
      float* to = c + m * c_row + n;
      const int64_t tall = std::min(tile_rows, rows - m), wide = std::min(tile_columns, columns - n);
      if (wide < tile_columns)
        edge_tile(tall, wide, depth, left, b + n, b_row, to, c_row);
      else if (tall < tile_rows)
        full_tile<1>(depth, left, b + n, b_row, to, c_row);
      else
        full_tile<tile_rows>(depth, left, b + n, b_row, to, c_row);
    }
}

size_t interpreter_workspace(const Operation& operation, const Bound& bound) {
  const auto conv = [&](const Conv& shape, Id x, Id w, Id y) {
    return sizeof(float) * conv_workspace(shape, bound.tensor(x), bound.tensor(w), bound.tensor(y));
  };
  const auto operand = [&](Id scale, Id x) {
    return sizeof(float) * operand_workspace(scale, bound.tensor(x));
  };
  if (const auto* op = std::get_if<ConvForward>(&operation)) return conv(op->conv, op->x, op->w, op->y);
  if (const auto* op = std::get_if<ConvBackwardData>(&operation))
    return conv(op->conv, op->dx, op->w, op->dy);
  if (const auto* op = std::get_if<ConvBackwardWeights>(&operation))
    return conv(op->conv, op->x, op->dw, op->dy) + operand(op->scale, op->x);
  if (const auto* op = std::get_if<ConvStatistics>(&operation))
    return conv(op->conv, op->x, op->w, op->y) + operand(op->scale, op->x);
  if (const auto* op = std::get_if<ConvBackwardNorm>(&operation))
    return conv(op->conv, op->g, op->w, op->dy) +
           sizeof(float) * wide_workspace(bound.tensor(op->dy), bound.tensor(op->w), bound.tensor(op->g));
  return 0;
}

void interpret(const Operation& operation, const Bound& bound, std::byte* workspace, int threads) {
  const Interpreter interpreter{bound, reinterpret_cast<float*>(workspace), threads};
  std::visit(
      [&](const auto& op) {
        if constexpr (requires { interpreter.run(op); })
          interpreter.run(op);
        else
          fail("internal error: {} is no operation of the library: please report it", name_of(operation));
      },
      operation);
}

}  // namespace convoy::fused
