#include "data/picture_room.h"

#include <cstring>
#include <utility>

#include "base/error.h"

namespace convoy {
namespace {

bool within(const ResizeFilter& filter, int size) {  // first pixels ascend
  return filter.first.front() >= 0 && filter.first.back() + filter.taps <= size;
}

}  // namespace

// `left`, `top`: where in the image the picture's pixels begin.
Picture PictureRoom::with_filters(const View& view, int left, int top, ResizeScratch& scratch) {
  Picture picture;
  picture.down_first = resize_filters(view.crop, view.width, view.height, view.window, scratch);
  std::swap(across_, scratch.horizontal);
  std::swap(down_, scratch.vertical);
  for (int32_t& first : across_.first) first += view.crop.left - left;
  for (int32_t& first : down_.first) first += view.crop.top - top;
  picture.across = {across_.taps, across_.first, across_.weights};
  picture.down = {down_.taps, down_.first, down_.weights};
  picture.mirror = view.mirror;
  return picture;
}

Picture PictureRoom::pixels(const Image& image, const View& view, ResizeScratch& scratch) {
  const Crop part = needed(view);
  Picture picture = with_filters(view, part.left, part.top, scratch);
  ensure(within(across_, part.width) && within(down_, part.height));
  const size_t row = 3 * static_cast<size_t>(part.width), rows = static_cast<size_t>(part.height);
  bytes_.resize(row * rows);
  for (size_t y = 0; y < rows; ++y) {
    const size_t at = (static_cast<size_t>(part.top) + y) * static_cast<size_t>(image.width);
    std::memcpy(bytes_.data() + y * row, image.rgb.data() + 3 * (at + static_cast<size_t>(part.left)), row);
  }
  picture.bytes = bytes_;
  picture.width = part.width;
  picture.height = part.height;
  return picture;
}

Picture PictureRoom::file(std::vector<std::byte>& encoded, int width, int height, const View& view,
                          ResizeScratch& scratch) {
  Picture picture = with_filters(view, 0, 0, scratch);
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
