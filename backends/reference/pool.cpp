#include "backends/reference/pool.h"

#include <algorithm>
#include <cmath>

namespace convoy::reference {
namespace {

struct Span {
  int begin, end;
};

Span window(int at, int stride, int padding, int kernel, int size) {
  const int begin = at * stride - padding;
  return {std::max(begin, 0), std::min(begin + kernel, size)};
}

template <class T>
int64_t index_of_max(const T* map, int width, Span rows, Span columns) {
  int64_t best = int64_t{rows.begin} * width + columns.begin;
  for (int y = rows.begin; y < rows.end; ++y)
    for (int x = columns.begin; x < columns.end; ++x) {
      const int64_t e = int64_t{y} * width + x;
      if (map[e] > map[best] || (std::isnan(map[e]) && !std::isnan(map[best]))) best = e;
    }
  return best;
}

// Calls f(index of the channel map, output position, rows, columns) for every window of every map.
template <class F>
void for_windows(const PoolCase& c, F f) {
  const int64_t maps = int64_t{c.images} * c.src.channels;
#pragma omp parallel for num_threads(c.threads) schedule(static)
  for (int64_t map = 0; map < maps; ++map)
    for (int y = 0; y < c.dst.height; ++y)
      for (int x = 0; x < c.dst.width; ++x)
        f(map, int64_t{y} * c.dst.width + x,
          window(y, c.op.stride.height, c.op.padding.height, c.op.kernel.height, c.src.height),
          window(x, c.op.stride.width, c.op.padding.width, c.op.kernel.width, c.src.width));
}

}  // namespace

template <class T>
void forward(const PoolCase& c, const T* src, T* dst) {
  const int64_t src_map = int64_t{c.src.height} * c.src.width, dst_map = int64_t{c.dst.height} * c.dst.width;
  const T count = static_cast<T>(c.op.kernel.height * c.op.kernel.width);
  for_windows(c, [&](int64_t map, int64_t position, Span rows, Span columns) {
    const T* from = src + map * src_map;
    T& to = dst[map * dst_map + position];
    if (c.op.kind == Pool::Kind::max) {
      to = from[index_of_max(from, c.src.width, rows, columns)];
      return;
    }
    T sum = 0;
    for (int y = rows.begin; y < rows.end; ++y)
      for (int x = columns.begin; x < columns.end; ++x) sum += from[int64_t{y} * c.src.width + x];
    to = sum / count;
  });
}

template <class T>
void backward(const PoolCase& c, const T* src, const T* d_dst, T* d_src) {
  const int64_t src_map = int64_t{c.src.height} * c.src.width, dst_map = int64_t{c.dst.height} * c.dst.width;
  const T count = static_cast<T>(c.op.kernel.height * c.op.kernel.width);
  for_windows(c, [&](int64_t map, int64_t position, Span rows, Span columns) {
    T* to = d_src + map * src_map;
    const T gradient = d_dst[map * dst_map + position];
    if (c.op.kind == Pool::Kind::max) {
      to[index_of_max(src + map * src_map, c.src.width, rows, columns)] += gradient;
      return;
    }
    for (int y = rows.begin; y < rows.end; ++y)
      for (int x = columns.begin; x < columns.end; ++x) to[int64_t{y} * c.src.width + x] += gradient / count;
  });
}

template void forward<float>(const PoolCase&, const float*, float*);
template void forward<double>(const PoolCase&, const double*, double*);
template void backward<float>(const PoolCase&, const float*, const float*, float*);
template void backward<double>(const PoolCase&, const double*, const double*, double*);

}  // namespace convoy::reference
