// Memory of one Picture (port/picture.h), filled again and again: the pixels that a view needs, or the file, and the filters
// of the view. Grows to the largest image and stays.
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
  Picture pixels(const Image& image, const View& view,
                 ResizeScratch& scratch);  // of decode_part()'s needed(view)
  // `encoded` is swapped for memory of the last picture.
  Picture file(std::vector<std::byte>& encoded, int width, int height, const View& view,
               ResizeScratch& scratch);

 private:
  Picture with_filters(const View& view, int left, int top, ResizeScratch& scratch);

  std::vector<std::byte> bytes_;
  ResizeFilter across_, down_;
};

Shades shades_of(const Transform& transform);

}  // namespace convoy
