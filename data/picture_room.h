// Memory of one Picture (port/picture.h), filled again and again: the pixels that a view needs, or the file, and the filters
// of the view. Grows to the largest of its pictures and stays; these are bounded (port/picture_limits.h): what of a view is
// larger is resized here, to the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/augment.h"
#include "port/picture.h"

namespace convoy {

class PictureRoom {
 public:
  // Of an image of which decode_part() has given needed(view).
  Picture pixels(const Image& image, const View& view, Scratch& scratch);
  static bool fits(const std::vector<std::byte>& encoded, const ImageSize& size, int side);
  // `encoded` is swapped for memory of the last picture.
  Picture file(std::vector<std::byte>& encoded, int width, int height, const View& view,
               ResizeScratch& scratch);

 private:
  Picture resized(const Image& image, const View& view, Scratch& scratch);
  void make_filters(const View& view, int left, int top, ResizeScratch& scratch);
  Picture with_filters(bool mirror) const;

  std::vector<std::byte> bytes_;
  ResizeFilter across_, down_;
  bool down_first_ = false;
};

Shades shades_of(const Transform& transform);

}  // namespace convoy
