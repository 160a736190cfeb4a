#include "data/picture_room.h"

#include <cstring>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "port/picture_limits.h"

namespace convoy {
namespace {

bool within(const ResizeFilter& filter, int size) {  // first pixels ascend
  return filter.first.front() >= 0 && filter.first.back() + filter.taps <= size;
}

}  // namespace

// `left`, `top`: where in the image the picture's pixels begin.
void PictureRoom::make_filters(const View& view, int left, int top, ResizeScratch& scratch) {
  down_first_ = resize_filters(view.crop, view.width, view.height, view.window, scratch);
  std::swap(across_, scratch.horizontal);
  std::swap(down_, scratch.vertical);
  for (int32_t& first : across_.first) first += view.crop.left - left;
  for (int32_t& first : down_.first) first += view.crop.top - top;
}

Picture PictureRoom::with_filters(bool mirror) const {
  Picture picture;
  picture.across = {across_.taps, across_.first, across_.weights};
  picture.down = {down_.taps, down_.first, down_.weights};
  picture.down_first = down_first_;
  picture.mirror = mirror;
  return picture;
}

// What is resized already: each output pixel is one of them.
Picture PictureRoom::resized(const Image& image, const View& view, Scratch& scratch) {
  resize(image, view.crop, view.width, view.height, view.window, scratch.resized, scratch.resize);
  const auto keep = [](ResizeFilter& filter, int count) {
    filter.taps = 1;
    filter.first.resize(static_cast<size_t>(count));
    std::iota(filter.first.begin(), filter.first.end(), 0);
    filter.weights.assign(filter.first.size(), 1 << resize_precision);
  };
  keep(across_, view.window.width);
  keep(down_, view.window.height);
  const auto bytes = std::as_bytes(std::span(scratch.resized.rgb));
  bytes_.assign(bytes.begin(), bytes.end());
  Picture picture = with_filters(view.mirror);
  picture.bytes = bytes_;
  picture.width = view.window.width;
  picture.height = view.window.height;
  return picture;
}

Picture PictureRoom::pixels(const Image& image, const View& view, Scratch& scratch) {
  const Crop part = needed(view);
  const size_t row = 3 * static_cast<size_t>(part.width), rows = static_cast<size_t>(part.height);
  if (row * rows > picture_bytes_limit(view.window.width)) return resized(image, view, scratch);
  make_filters(view, part.left, part.top, scratch.resize);
  ensure(within(across_, part.width) && within(down_, part.height));
  bytes_.resize(row * rows);
  for (size_t y = 0; y < rows; ++y) {
    const size_t at = (static_cast<size_t>(part.top) + y) * static_cast<size_t>(image.width);
    std::memcpy(bytes_.data() + y * row, image.rgb.data() + 3 * (at + static_cast<size_t>(part.left)), row);
  }
  Picture picture = with_filters(view.mirror);
  picture.bytes = bytes_;
  picture.width = part.width;
  picture.height = part.height;
  return picture;
}

bool PictureRoom::fits(const std::vector<std::byte>& encoded, const ImageSize& size, int side) {
  return encoded.size() <= picture_bytes_limit(side) &&
         3 * static_cast<size_t>(size.width) * static_cast<size_t>(size.height) <= decoded_bytes_limit;
}

Picture PictureRoom::file(std::vector<std::byte>& encoded, int width, int height, const View& view,
                          ResizeScratch& scratch) {
  make_filters(view, 0, 0, scratch);
  Picture picture = with_filters(view.mirror);
  std::swap(bytes_, encoded);
  picture.bytes = bytes_;
  picture.file = true;
  picture.width = width;
  picture.height = height;
  return picture;
}

Shades shades_of(const Transform& transform) {
  return {transform.divisor, transform.mean, transform.std, transform.bgr};
}

}  // namespace convoy
