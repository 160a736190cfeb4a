// Convolutions as matrix products over patches: what each output position sees, group after group, taps in KRSC order.
//   forward: rows = patches w^T;   d w = rows^T patches;   d patches = rows w, gathered into dx
#include <algorithm>

#include "backends/fused/bodies.h"
#include "backends/fused/interpret.h"

namespace convoy::fused {
namespace {

struct Geometry {
  Conv conv;
  const Tensor &x, &w, &y;

  int64_t taps() const { return int64_t{w.h} * w.w; }
  int64_t depth() const { return taps() * w.c; }  // of one group's filter
  int64_t patch() const { return depth() * conv.groups; }
  int64_t outputs() const { return y.c / conv.groups; }     // of a group
  int64_t positions() const { return int64_t{y.h} * y.w; }  // of an image
  int images_at_once() const {
    return static_cast<int>(std::clamp<int64_t>((int64_t{1} << 22) / (positions() * patch()), 1, x.n));
  }
};

struct Scratch {
  float *filter, *patches, *rows, *image;
  Scratch(const Geometry& g, float* memory)
      : filter(memory),
        patches(filter + y_elements(g)),
        rows(patches + g.images_at_once() * g.positions() * g.patch()),
        image(rows + g.images_at_once() * g.positions() * g.y.c) {}
  static int64_t y_elements(const Geometry& g) { return g.y.c * g.depth(); }
  static int64_t size(const Geometry& g) {
    return y_elements(g) + g.images_at_once() * g.positions() * (g.patch() + g.y.c) +
           g.images_at_once() * int64_t{g.x.h} * g.x.w * g.x.c;
  }
};

template <class F>
void for_blocks(const Geometry& g, F f) {  // f(first image, images)
  for (int first = 0; first < g.x.n; first += g.images_at_once())
    f(first, std::min(g.images_at_once(), g.x.n - first));
}

template <class T>
void widen(const T* from, float* to, int64_t count, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t i = 0; i < count; ++i) to[i] = load(from[i]);
}

template <class T>
void fill_patches(const Geometry& g, int images, const T* x, float* patches, int threads) {
  const int groups = g.conv.groups, channels = g.w.c;
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
  for (int i = 0; i < images; ++i)
    for (int y = 0; y < g.y.h; ++y)
      for (int column = 0; column < g.y.w; ++column) {
        float* patch = patches + (i * g.positions() + int64_t{y} * g.y.w + column) * g.patch();
        for (int tap = 0; tap < g.taps(); ++tap) {
          const int from_y = y * g.conv.stride.height - g.conv.padding.height + tap / g.w.w;
          const int from_x = column * g.conv.stride.width - g.conv.padding.width + tap % g.w.w;
          const bool inside = from_y >= 0 && from_y < g.x.h && from_x >= 0 && from_x < g.x.w;
          const T* from = inside ? x + ((int64_t{i} * g.x.h + from_y) * g.x.w + from_x) * g.x.c : nullptr;
          for (int group = 0; group < groups; ++group) {
            float* to = patch + group * g.depth() + int64_t{tap} * channels;
            for (int c = 0; c < channels; ++c) to[c] = inside ? load(from[group * channels + c]) : 0.0f;
          }
        }
      }
}

// dx(image, row, column) = the sum over the taps that see it.
void gather_patches(const Geometry& g, int images, const float* patches, float* dx, int threads) {
  const int groups = g.conv.groups, channels = g.w.c;
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
  for (int i = 0; i < images; ++i)
    for (int row = 0; row < g.x.h; ++row)
      for (int column = 0; column < g.x.w; ++column) {
        float* to = dx + ((int64_t{i} * g.x.h + row) * g.x.w + column) * g.x.c;
        std::fill(to, to + g.x.c, 0.0f);
        for (int tap = 0; tap < g.taps(); ++tap) {
          const int y = row + g.conv.padding.height - tap / g.w.w;
          const int x = column + g.conv.padding.width - tap % g.w.w;
          if (y < 0 || x < 0 || y % g.conv.stride.height != 0 || x % g.conv.stride.width != 0) continue;
          const int out_y = y / g.conv.stride.height, out_x = x / g.conv.stride.width;
          if (out_y >= g.y.h || out_x >= g.y.w) continue;
          const float* patch = patches + (i * g.positions() + int64_t{out_y} * g.y.w + out_x) * g.patch();
          for (int group = 0; group < groups; ++group) {
            const float* from = patch + group * g.depth() + int64_t{tap} * channels;
            for (int c = 0; c < channels; ++c) to[group * channels + c] += from[c];
          }
        }
      }
}

// Group after group: [depth][outputs], so that a product's inner loop runs over outputs.
template <class T>
void transpose_filter(const Geometry& g, const T* w, float* to, int threads) {
  const int64_t outputs = g.outputs();
  constexpr int64_t tile = 32;  // rows and columns at once, for the sake of caches
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
  for (int64_t k0 = 0; k0 < g.y.c; k0 += tile)
    for (int64_t d0 = 0; d0 < g.depth(); d0 += tile)
      for (int64_t d = d0; d < std::min(d0 + tile, g.depth()); ++d)
        for (int64_t k = k0; k < std::min<int64_t>(k0 + tile, g.y.c); ++k)
          to[(k / outputs * g.depth() + d) * outputs + k % outputs] = load(w[k * g.depth() + d]);
}

}  // namespace

size_t conv_workspace(const Conv& conv, const Tensor& x, const Tensor& w, const Tensor& y) {
  return static_cast<size_t>(Scratch::size({conv, x, w, y}));
}

void Interpreter::run(const ConvForward& op) const {
  const Geometry g{op.conv, bound.tensor(op.x), bound.tensor(op.w), bound.tensor(op.y)};
  const Scratch scratch(g, workspace);
  const float *scale = at<float>(op.scale), *shift = at<float>(op.shift);
  with_storage(g.y, [&]<class T>(T) {
    transpose_filter(g, at<T>(op.w), scratch.filter, threads);
    for_blocks(g, [&](int first, int images) {
      const int64_t positions = images * g.positions(), count = positions * g.y.c;
      const int64_t begin = first * g.positions() * g.y.c;
      fill_patches(g, images, at<T>(op.x) + int64_t{first} * g.x.h * g.x.w * g.x.c, scratch.patches, threads);
      std::fill(scratch.rows, scratch.rows + count, 0.0f);
      for (int group = 0; group < op.conv.groups; ++group)
        add_product(positions, g.outputs(), g.depth(), {scratch.patches + group * g.depth(), g.patch(), 1},
                    scratch.filter + group * g.depth() * g.outputs(), g.outputs(),
                    scratch.rows + group * g.outputs(), g.y.c, threads);
      T* y = at<T>(op.y) + begin;
      const T* addend = op.addend < 0 ? nullptr : at<T>(op.addend) + begin;
#pragma omp parallel for num_threads(threads) schedule(static)
      for (int64_t i = 0; i < count; ++i) {
        float value = scratch.rows[i];
        if (scale != nullptr) value *= scale[i % g.y.c];
        if (shift != nullptr) value += shift[i % g.y.c];
        if (addend != nullptr) value += load(addend[i]);
        store(y[i], op.relu && value < 0 ? 0.0f : value);
      }
    });
  });
}

void Interpreter::run(const ConvBackwardData& op) const {
  const Geometry g{op.conv, bound.tensor(op.dx), bound.tensor(op.w), bound.tensor(op.dy)};
  const Scratch scratch(g, workspace);
  with_storage(g.y, [&]<class T>(T) {
    widen(at<T>(op.w), scratch.filter, g.y.c * g.depth(), threads);
    for_blocks(g, [&](int first, int images) {
      const int64_t positions = images * g.positions();
      widen(at<T>(op.dy) + first * g.positions() * g.y.c, scratch.rows, positions * g.y.c, threads);
      std::fill(scratch.patches, scratch.patches + positions * g.patch(), 0.0f);
      for (int group = 0; group < op.conv.groups; ++group)
        add_product(positions, g.depth(), g.outputs(), {scratch.rows + group * g.outputs(), g.y.c, 1},
                    scratch.filter + group * g.outputs() * g.depth(), g.depth(),
                    scratch.patches + group * g.depth(), g.patch(), threads);
      gather_patches(g, images, scratch.patches, scratch.image, threads);
      const int64_t image = int64_t{g.x.h} * g.x.w * g.x.c;
      T* dx = at<T>(op.dx) + first * image;
#pragma omp parallel for num_threads(threads) schedule(static)
      for (int64_t i = 0; i < images * image; ++i)
        store(dx[i], op.adds ? scratch.image[i] + load(dx[i]) : scratch.image[i]);
    });
  });
}

void Interpreter::run(const ConvBackwardWeights& op) const {
  if (op.scale >= 0) return run_normalized(op);
  const Geometry g{op.conv, bound.tensor(op.x), bound.tensor(op.dw), bound.tensor(op.dy)};
  const Scratch scratch(g, workspace);
  const int64_t weights = g.y.c * g.depth();
  with_storage(g.y, [&]<class T>(T) {
    std::fill(scratch.filter, scratch.filter + weights, 0.0f);
    for_blocks(g, [&](int first, int images) {
      const int64_t positions = images * g.positions();
      fill_patches(g, images, at<T>(op.x) + int64_t{first} * g.x.h * g.x.w * g.x.c, scratch.patches, threads);
      widen(at<T>(op.dy) + first * g.positions() * g.y.c, scratch.rows, positions * g.y.c, threads);
      for (int group = 0; group < op.conv.groups; ++group)
        add_product(g.outputs(), g.depth(), positions, {scratch.rows + group * g.outputs(), 1, g.y.c},
                    scratch.patches + group * g.depth(), g.patch(),
                    scratch.filter + group * g.outputs() * g.depth(), g.depth(), threads);
    });
    T* dw = at<T>(op.dw);
    for (int64_t i = 0; i < weights; ++i) store(dw[i], scratch.filter[i]);
  });
}

}  // namespace convoy::fused
