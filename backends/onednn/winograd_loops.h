// The units' bodies, for vectors of V and R tiles at a time. Only for the two files that make them for their instruction set.
#pragma once

#include "backends/onednn/winograd_product.h"
#include "backends/onednn/winograd_units.h"

namespace convoy::onednn::winograd {

// Counts through tiles: images, then rows, then columns.
struct Walk {
  int64_t down, across, image, y, x;
  CONVOY_INLINE Walk(const Shape& s, int64_t tile)
      : down(s.tiles_down()),
        across(s.tiles_across()),
        image(tile / (down * across)),
        y(tile / across % down),
        x(tile % across) {}
  CONVOY_INLINE void next() {
    if (++x < across) return;
    x = 0;
    if (++y < down) return;
    y = 0;
    ++image;
  }
};

// Where the maps of `channels` have a pixel's B channels: numbers from one image, block and pixel to the next.
struct Steps {
  int64_t image, block, pixel;
  CONVOY_INLINE Steps(const Shape& s, int64_t channels, int64_t pixels, int64_t B)
      : image(channels * pixels),
        block(s.channels_last ? B : pixels * B),
        pixel(s.channels_last ? channels : B) {}
};

// The N x N pixels at (y, x) of a plane, `step` numbers from one to the next; zeros outside.
template <int N, class V>
CONVOY_INLINE void gather(const float* plane, int64_t step, int64_t height, int64_t width, int64_t y,
                          int64_t x, V (&d)[N * N]) {
  if (y >= 0 && x >= 0 && y + N <= height && x + N <= width) {
    const float* from = plane + (y * width + x) * step;
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) load(d[N * i + j], from + (i * width + j) * step);
    return;
  }
  alignas(64) static constexpr float zeros[lanes<V>] = {};
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) {
      const bool inside = y + i >= 0 && y + i < height && x + j >= 0 && x + j < width;
      load(d[N * i + j], inside ? plane + ((y + i) * width + x + j) * step : zeros);
    }
}

// B^T d B of `tiles` tiles and `blocks` channel blocks from `first_block` on: to[16][blocks][room][B], matrices `matrix` apart.
template <class V>
CONVOY_INLINE void transform_sources(const Shape& s, const float* src, int64_t first_tile, int64_t tiles,
                                     int64_t first_block, int64_t blocks, int64_t room, float* to,
                                     int64_t matrix) {
  constexpr int64_t B = lanes<V>;
  const Steps steps(s, s.inputs, s.height * s.width, B);
  for (int64_t block = 0; block < blocks; ++block) {
    Walk at(s, first_tile);
    for (int64_t t = 0; t < tiles; ++t, at.next()) {
      const float* plane = src + at.image * steps.image + (first_block + block) * steps.block;
      V d[16];
      gather<4>(plane, steps.pixel, s.height, s.width, 2 * at.y - s.padding, 2 * at.x - s.padding, d);
      transform_source(d);
      float* v = to + (block * room + t) * B;
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) store(d[i], v + i * matrix);
    }
  }
}

// A^T m A of a panel's products m[16][room][2B], and what follows, into the outputs.
template <class V>
CONVOY_INLINE void finish_panel(const ForwardUnit& u, const float* m, int64_t matrix, int64_t panel) {
  constexpr int64_t B = lanes<V>;
  const Shape& s = *u.shape;
  const int64_t height = s.out_height(), width = s.out_width();
  const Steps steps(s, s.outputs, height * width, B);
  for (int64_t half = 0; half < 2; ++half) {
    const int64_t block = 2 * panel + half;
    V bias{};
    if (u.tail->bias != nullptr) load(bias, u.tail->bias + block * B);
    Walk at(s, u.first_tile);
    for (int64_t t = 0; t < u.tiles; ++t, at.next()) {
      V products[16], y[4];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) load(products[i], m + i * matrix + (2 * t + half) * B);
      transform_product(products, y);
      const int64_t plane = at.image * steps.image + block * steps.block,
                    corner = 2 * at.y * width + 2 * at.x;
      const bool low = 2 * at.y + 1 < height, right = 2 * at.x + 1 < width;
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        if ((i >= 2 && !low) || (i % 2 == 1 && !right)) continue;
        const int64_t element = plane + (corner + i / 2 * width + i % 2) * steps.pixel;
        V value = y[i] + bias;
        if (u.tail->residual != nullptr) {
          V other;
          load(other, u.tail->residual + element);
          value += other;
        }
        if (u.tail->relu) value = value < V{} ? V{} : value;
        store(value, u.dst + element);
      }
    }
  }
}

template <class V, int R>
CONVOY_INLINE void forward_unit(const ForwardUnit& u) {
  constexpr int64_t B = lanes<V>;
  const Shape& s = *u.shape;
  const int64_t blocks = s.inputs / B, a_block = u.room * B, a_matrix = blocks * a_block + apart;
  const int64_t m_matrix = u.room * 2 * B + apart;
  float* const sources = u.scratch;
  float* const products = sources + 16 * a_matrix;
  transform_sources<V>(s, u.src, u.first_tile, u.tiles, 0, blocks, u.room, sources, a_matrix);
  // Rows that are multiplied though nobody reads their products: what lies there could be slow.
  const int64_t rest = (R - u.tiles % R) % R;
  for (int64_t i = 0; i < 16; ++i)
    for (int64_t block = 0; block < blocks; ++block)
      std::memset(sources + i * a_matrix + (block * u.room + u.tiles) * B, 0,
                  static_cast<size_t>(rest * B) * sizeof(float));
  for (int64_t panel = u.first_panel; panel < u.first_panel + u.panels; ++panel) {
    for (int64_t i = 0; i < 16; ++i) {
      const float* weights = u.transformed + (panel * 16 + i) * s.inputs * 2 * B;
      // The next matrix's are fetched meanwhile, in as many parts as a row of it has lines.
      const float* next =
          i < 15 || panel + 1 < u.first_panel + u.panels ? weights + s.inputs * 2 * B : weights;
      for (int64_t t = 0, part = 0; t < u.tiles; t += R, ++part)
        multiply_tiles<V, R>(sources + i * a_matrix + t * B, a_block, weights, blocks,
                             part < 2 * B / line ? next + part * s.inputs * line : weights,
                             products + i * m_matrix + t * 2 * B);
    }
    finish_panel<V>(u, products, m_matrix, panel);
  }
}

// A dY A^T of the outputs' gradients: to[16][blocks][room][B].
template <class V>
CONVOY_INLINE void transform_gradients(const Shape& s, const float* gradient, int64_t first_tile,
                                       int64_t tiles, int64_t first_block, int64_t blocks, int64_t room,
                                       float* to, int64_t matrix) {
  constexpr int64_t B = lanes<V>;
  const Steps steps(s, s.outputs, s.out_height() * s.out_width(), B);
  for (int64_t block = 0; block < blocks; ++block) {
    Walk at(s, first_tile);
    for (int64_t t = 0; t < tiles; ++t, at.next()) {
      const float* plane = gradient + at.image * steps.image + (first_block + block) * steps.block;
      V y[4], w[16];
      gather<2>(plane, steps.pixel, s.out_height(), s.out_width(), 2 * at.y, 2 * at.x, y);
      transform_gradient(y, w);
      float* v = to + (block * room + t) * B;
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) store(w[i], v + i * matrix);
    }
  }
}

// G^T sums G into O I 3 3.
template <class V>
CONVOY_INLINE void finish_gradient(const GradientUnit& u, const float* sums) {
  constexpr int64_t B = lanes<V>;
  for (int64_t k = 0; k < u.outputs; k += B)
    for (int64_t c = 0; c < u.inputs; ++c) {
      V of[16], taps[9];
      float out[9][B];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) load(of[i], sums + (i * u.inputs + c) * u.outputs + k);
      gather_taps(of, taps);
#pragma GCC unroll 9
      for (int i = 0; i < 9; ++i) store(taps[i], out[i]);
      float* to = u.gradient + ((u.first_output + k) * u.shape->inputs + u.first_input + c) * 9;
      for (int64_t lane = 0; lane < B; ++lane, to += 9 * u.shape->inputs)
        for (int i = 0; i < 9; ++i) to[i] = out[i][lane];
    }
}

template <class V, int R>
CONVOY_INLINE void gradient_unit(const GradientUnit& u) {
  constexpr int64_t B = lanes<V>, T = gradient_tiles;
  static_assert(B % R == 0);
  const int64_t v_matrix = u.inputs * T + apart, w_matrix = u.outputs * T + apart;
  float* const sources = u.scratch;
  float* const gradients = sources + 16 * v_matrix;
  float* const sums = gradients + 16 * w_matrix;
  std::memset(sums, 0, static_cast<size_t>(16 * u.inputs * u.outputs) * sizeof(float));
  for (int64_t t = 0; t < u.tiles; t += T) {
    const int64_t tiles = u.tiles - t < T ? u.tiles - t : T;
    transform_sources<V>(*u.shape, u.src, u.first_tile + t, tiles, u.first_input / B, u.inputs / B, T,
                         sources, v_matrix);
    transform_gradients<V>(*u.shape, u.dst_gradient, u.first_tile + t, tiles, u.first_output / B,
                           u.outputs / B, T, gradients, w_matrix);
    for (int64_t i = 0; i < 16; ++i)
      for (int64_t k = 0; k < u.outputs; k += 2 * B)
        for (int64_t c = 0; c < u.inputs; c += R)
          multiply_channels<V, R>(sources + i * v_matrix + c / B * T * B + c % B,
                                  gradients + i * w_matrix + k * T, T * B, tiles,
                                  sums + (i * u.inputs + c) * u.outputs + k, u.outputs);
  }
  finish_gradient<V>(u, sums);
}

// A panel of 2B outputs of G g G^T: [16][inputs][2B]. `turned`: outputs are the convolution's inputs, taps are turned by 180 degrees.
template <class V, bool turned>
CONVOY_INLINE void weight_unit(const WeightUnit& u) {
  constexpr int64_t B = lanes<V>;
  const Shape& s = *u.shape;
  const int64_t reduced = turned ? s.outputs : s.inputs;
  const int64_t lane_step = 9 * (turned ? 1 : s.inputs), step = 9 * (turned ? s.inputs : 1);
  float* const panel = u.transformed + u.panel * 16 * reduced * 2 * B;
  for (int64_t c = 0; c < reduced; ++c) {
    const float* from = u.weights + u.panel * 2 * B * lane_step + c * step;
    float in[9][2 * B];
    for (int64_t lane = 0; lane < 2 * B; ++lane)
      for (int i = 0; i < 9; ++i) in[turned ? 8 - i : i][lane] = from[lane * lane_step + i];
    for (int64_t half = 0; half < 2; ++half) {
      V taps[9], of[16];
#pragma GCC unroll 9
      for (int i = 0; i < 9; ++i) load(taps[i], in[i] + half * B);
      transform_taps(taps, of);
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) store(of[i], panel + (i * reduced + c) * 2 * B + half * B);
    }
  }
}

}  // namespace convoy::onednn::winograd
