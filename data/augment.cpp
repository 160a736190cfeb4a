#include "data/augment.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/normalize.h"

namespace convoy {
namespace {

int between(Random& random, int low, int high) {  // both included
  return low + static_cast<int>(random.next_below(static_cast<uint32_t>(high - low + 1)));
}

// torchvision.transforms.RandomResizedCrop.get_params: ten tries, then the largest central crop of a legal ratio.
Crop random_resized_crop(int width, int height, const Transform& t, Random& random) {
  const double area = static_cast<double>(width) * height;
  const double low = std::log(t.min_ratio), high = std::log(t.max_ratio);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * (t.min_area + (t.max_area - t.min_area) * random.next_uniform());
    const double ratio = std::exp(low + (high - low) * random.next_uniform());
    const double w = std::nearbyint(std::sqrt(target * ratio)), h = std::nearbyint(std::sqrt(target / ratio));
    if (w < 1 || w > width || h < 1 || h > height) continue;
    Crop crop{0, 0, static_cast<int>(w), static_cast<int>(h)};
    crop.top = between(random, 0, height - crop.height);
    crop.left = between(random, 0, width - crop.width);
    return crop;
  }
  Crop crop{0, 0, width, height};
  const double ratio = static_cast<double>(width) / height;
  if (ratio < t.min_ratio) crop.height = static_cast<int>(std::nearbyint(width / t.min_ratio));
  if (ratio > t.max_ratio) crop.width = static_cast<int>(std::nearbyint(height * t.max_ratio));
  crop.width = std::clamp(crop.width, 1, width);
  crop.height = std::clamp(crop.height, 1, height);
  crop.left = (width - crop.width) / 2;
  crop.top = (height - crop.height) / 2;
  return crop;
}

// torchvision.transforms.Resize: the short side to `resize`, the long one truncated.
View resized_whole(int width, int height, const Transform& t) {
  View view;
  view.crop = {0, 0, width, height};
  view.width = view.height = t.resize;
  if (!t.squash && width > height)
    view.width = static_cast<int>(static_cast<int64_t>(t.resize) * width / height);
  if (!t.squash && height > width)
    view.height = static_cast<int>(static_cast<int64_t>(t.resize) * height / width);
  view.window = {0, 0, t.input, t.input};
  return view;
}

}  // namespace

void check(const Transform& t) {
  const auto must = [](bool fine, const char* what) { require(fine, Exit::usage, "{}", what); };
  must(t.train == "random-resized-crop" || t.train == "random-crop" || t.train == "center",
       "data.train_crop must be a random resized crop, a random crop or the center");
  must(t.input > 0 && t.input <= 4096, "network.input must be 1 to 4096 pixels");
  must(t.resize >= t.input && t.resize <= 4096,
       "data.resize must be at least network.input and at most 4096 pixels: held-out images are cropped from "
       "it");
  must(t.min_area > 0 && t.min_area <= t.max_area && t.max_area <= 1,
       "data.min_area and max_area must satisfy 0 < min_area <= max_area <= 1");
  must(t.min_ratio > 0 && t.min_ratio <= t.max_ratio && std::isfinite(t.max_ratio),
       "data.min_ratio and max_ratio must satisfy 0 < min_ratio <= max_ratio");
  must(t.divisor > 0 && std::isfinite(t.divisor), "data.scale must be positive");
  for (size_t c = 0; c < 3; ++c) {
    must(std::isfinite(t.mean[c]), "data.mean must be three finite numbers");
    must(t.std[c] > 0 && std::isfinite(t.std[c]), "data.std must be three positive numbers");
  }
}

View train_view(int width, int height, const Transform& t, Random random) {
  View view;
  if (t.train == "random-resized-crop") {
    view.crop = random_resized_crop(width, height, t, random);
    view.width = view.height = t.input;
    view.window = {0, 0, t.input, t.input};
  } else if (t.train == "random-crop") {
    view = resized_whole(width, height, t);
    view.window.top = between(random, 0, view.height - t.input);
    view.window.left = between(random, 0, view.width - t.input);
  } else {
    ensure(t.train == "center");
    return held_out_view(width, height, t);
  }
  view.mirror = t.mirror && random.next_below(2) == 1;
  return view;
}

View held_out_view(int width, int height, const Transform& t) {
  View view = resized_whole(width, height, t);
  // torchvision's CenterCrop is Python's round(): halves go to the even neighbour, as nearbyint does.
  view.window.left = static_cast<int>(std::nearbyint((view.width - t.input) / 2.0));
  view.window.top = static_cast<int>(std::nearbyint((view.height - t.input) / 2.0));
  return view;
}

Crop needed(const View& view) {
  // A filter reaches as far as one output pixel to either side, or one input pixel where it enlarges.
  const auto along = [](int begin, int size, int resized, int from, int count) {
    const double scale = static_cast<double>(size) / resized, reach = std::max(scale, 1.0) + 1;
    const int first = std::max(static_cast<int>(std::floor(from * scale - reach)), 0);
    const int last = std::min(static_cast<int>(std::ceil((from + count) * scale + reach)), size);
    return std::pair(begin + first, last - first);
  };
  const auto [left, width] =
      along(view.crop.left, view.crop.width, view.width, view.window.left, view.window.width);
  const auto [top, height] =
      along(view.crop.top, view.crop.height, view.height, view.window.top, view.window.height);
  return {left, top, width, height};
}

void prepare(const Image& image, const View& view, const Transform& t, std::span<float> chw,
             Scratch& scratch) {
  ensure(chw.size() == static_cast<size_t>(t.input) * t.input * 3);
  resize(image, view.crop, view.width, view.height, view.window, scratch.resized, scratch.resize);
  normalize(scratch.resized, t, view.mirror, chw);
}

void prepare_train(const Image& image, const Transform& transform, Random random, std::span<float> chw,
                   Scratch& scratch) {
  prepare(image, train_view(image.width, image.height, transform, random), transform, chw, scratch);
}

void prepare_held_out(const Image& image, const Transform& transform, std::span<float> chw,
                      Scratch& scratch) {
  prepare(image, held_out_view(image.width, image.height, transform), transform, chw, scratch);
}

}  // namespace convoy
