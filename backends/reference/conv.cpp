#include "backends/reference/conv.h"

#include <algorithm>

#include "backends/reference/matrix.h"

namespace convoy::reference {
namespace {

// Calls f(source row, source column, k) for every pixel of the window at (y, x) that lies inside the image.
template <class F>
void for_window(const ConvCase& c, int y, int x, F f) {
  for (int ky = 0; ky < c.op.kernel.height; ++ky) {
    const int row = y * c.op.stride.height - c.op.padding.height + ky;
    if (row < 0 || row >= c.src.height) continue;
    for (int kx = 0; kx < c.op.kernel.width; ++kx) {
      const int column = x * c.op.stride.width - c.op.padding.width + kx;
      if (column >= 0 && column < c.src.width) f(row, column, ky * c.op.kernel.width + kx);
    }
  }
}

template <class T>
void fill_patches(const ConvCase& c, int images, const T* src, T* patches) {
  const int64_t window = int64_t{c.op.kernel.height} * c.op.kernel.width;
#pragma omp parallel for collapse(2) num_threads(c.threads) schedule(static)
  for (int i = 0; i < images; ++i)
    for (int y = 0; y < c.dst.height; ++y)
      for (int x = 0; x < c.dst.width; ++x) {
        T* patch = patches + (i * c.positions() + int64_t{y} * c.dst.width + x) * c.patch();
        std::fill(patch, patch + c.patch(), T{0});
        for (int channel = 0; channel < c.src.channels; ++channel) {
          const T* map = src + (int64_t{i} * c.src.channels + channel) * c.src.height * c.src.width;
          for_window(c, y, x, [&](int row, int column, int k) {
            patch[channel * window + k] = map[int64_t{row} * c.src.width + column];
          });
        }
      }
}

template <class T>
void add_patches(const ConvCase& c, int images, const T* patches, T* d_src) {
  const int64_t window = int64_t{c.op.kernel.height} * c.op.kernel.width;
#pragma omp parallel for collapse(2) num_threads(c.threads) schedule(static)
  for (int i = 0; i < images; ++i)
    for (int channel = 0; channel < c.src.channels; ++channel) {
      T* map = d_src + (int64_t{i} * c.src.channels + channel) * c.src.height * c.src.width;
      for (int y = 0; y < c.dst.height; ++y)
        for (int x = 0; x < c.dst.width; ++x) {
          const T* patch =
              patches + (i * c.positions() + int64_t{y} * c.dst.width + x) * c.patch() + channel * window;
          for_window(c, y, x, [&](int row, int column, int k) {
            map[int64_t{row} * c.src.width + column] += patch[k];
          });
        }
    }
}

// dst[image][channel][position] = rows[image, position][channel] + bias[channel]
template <class T>
void store_rows(const ConvCase& c, int images, const T* rows, const T* bias, T* dst) {
  const int64_t positions = c.positions();
#pragma omp parallel for collapse(2) num_threads(c.threads) schedule(static)
  for (int i = 0; i < images; ++i)
    for (int channel = 0; channel < c.dst.channels; ++channel) {
      T* to = dst + (int64_t{i} * c.dst.channels + channel) * positions;
      const T* from = rows + i * positions * c.dst.channels + channel;
      for (int64_t p = 0; p < positions; ++p)
        to[p] = from[p * c.dst.channels] + (bias != nullptr ? bias[channel] : T{0});
    }
}

template <class T>
void load_rows(const ConvCase& c, int images, const T* dst, T* rows) {
  const int64_t positions = c.positions();
#pragma omp parallel for collapse(2) num_threads(c.threads) schedule(static)
  for (int i = 0; i < images; ++i)
    for (int64_t p = 0; p < positions; ++p)
      for (int channel = 0; channel < c.dst.channels; ++channel)
        rows[(i * positions + p) * c.dst.channels + channel] =
            dst[(int64_t{i} * c.dst.channels + channel) * positions + p];
}

// d_bias[channel] += sum of d_dst over images and positions
template <class T>
void add_bias_gradient(int images, int64_t channels, int64_t positions, const T* d_dst, T* d_bias,
                       int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t channel = 0; channel < channels; ++channel)
    for (int i = 0; i < images; ++i)
      for (int64_t p = 0; p < positions; ++p)
        d_bias[channel] += d_dst[(i * channels + channel) * positions + p];
}

// A block of images whose patches are in memory at once.
struct Block {
  int first, images;
};

template <class F>
void for_blocks(const ConvCase& c, F f) {
  const int size = c.images_at_once();
  for (int first = 0; first < c.images; first += size) f(Block{first, std::min(size, c.images - first)});
}

}  // namespace

int ConvCase::images_at_once() const {
  return static_cast<int>(std::clamp<int64_t>((int64_t{1} << 22) / (positions() * patch()), 1, images));
}

template <class T>
void forward(const ConvCase& c, const ConvValues<T>& values, T* scratch) {
  T* patches = scratch;
  T* rows = scratch + c.images_at_once() * c.positions() * c.patch();
  const int64_t outputs = c.dst.channels / c.op.groups, depth = c.patch() / c.op.groups;
  for_blocks(c, [&](Block block) {
    fill_patches(c, block.images, values.src + block.first * c.src.elements(), patches);
    for (int g = 0; g < c.op.groups; ++g)
      dot_rows<T>(block.images * c.positions(), outputs, depth, {patches + g * depth, c.patch()},
                  {values.weight + g * outputs * depth, depth}, {rows + g * outputs, c.dst.channels},
                  c.threads);
    store_rows(c, block.images, rows, values.bias, values.dst + block.first * c.dst.elements());
  });
}

template <class T>
void backward(const ConvCase& c, const ConvGradients<T>& gradients, T* scratch) {
  T* patches = scratch;
  T* rows = scratch + c.images_at_once() * c.positions() * c.patch();
  const int64_t outputs = c.dst.channels / c.op.groups, depth = c.patch() / c.op.groups;
  for_blocks(c, [&](Block block) {
    const int64_t positions = block.images * c.positions();
    fill_patches(c, block.images, gradients.src + block.first * c.src.elements(), patches);
    load_rows(c, block.images, gradients.d_dst + block.first * c.dst.elements(), rows);
    for (int g = 0; g < c.op.groups; ++g)
      add_combined_rows<T>(outputs, positions, depth, {rows + g * outputs, 1, c.dst.channels},
                           {patches + g * depth, c.patch()},
                           {gradients.d_weight + g * outputs * depth, depth}, c.threads);
    if (gradients.d_src == nullptr) return;
    std::fill(patches, patches + positions * c.patch(), T{0});
    for (int g = 0; g < c.op.groups; ++g)
      add_combined_rows<T>(positions, outputs, depth, {rows + g * outputs, c.dst.channels},
                           {gradients.weight + g * outputs * depth, depth}, {patches + g * depth, c.patch()},
                           c.threads);
    add_patches(c, block.images, patches, gradients.d_src + block.first * c.src.elements());
  });
  if (gradients.d_bias != nullptr)
    add_bias_gradient(c.images, c.dst.channels, c.positions(), gradients.d_dst, gradients.d_bias, c.threads);
}

template <class T>
void forward(const LinearCase& c, const ConvValues<T>& values) {
  dot_rows<T>(c.images, c.outputs, c.inputs, {values.src, c.inputs}, {values.weight, c.inputs},
              {values.dst, c.outputs}, c.threads);
  if (values.bias == nullptr) return;
  for (int i = 0; i < c.images; ++i)
    for (int64_t o = 0; o < c.outputs; ++o) values.dst[i * c.outputs + o] += values.bias[o];
}

template <class T>
void backward(const LinearCase& c, const ConvGradients<T>& gradients) {
  add_combined_rows<T>(c.outputs, c.images, c.inputs, {gradients.d_dst, 1, c.outputs},
                       {gradients.src, c.inputs}, {gradients.d_weight, c.inputs}, c.threads);
  if (gradients.d_src != nullptr)
    add_combined_rows<T>(c.images, c.outputs, c.inputs, {gradients.d_dst, c.outputs},
                         {gradients.weight, c.inputs}, {gradients.d_src, c.inputs}, c.threads);
  if (gradients.d_bias != nullptr)
    add_bias_gradient(c.images, c.outputs, 1, gradients.d_dst, gradients.d_bias, c.threads);
}

template void forward<float>(const ConvCase&, const ConvValues<float>&, float*);
template void forward<double>(const ConvCase&, const ConvValues<double>&, double*);
template void backward<float>(const ConvCase&, const ConvGradients<float>&, float*);
template void backward<double>(const ConvCase&, const ConvGradients<double>&, double*);
template void forward<float>(const LinearCase&, const ConvValues<float>&);
template void forward<double>(const LinearCase&, const ConvValues<double>&);
template void backward<float>(const LinearCase&, const ConvGradients<float>&);
template void backward<double>(const LinearCase&, const ConvGradients<double>&);

}  // namespace convoy::reference
