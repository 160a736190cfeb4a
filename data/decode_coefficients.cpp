#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "data/chroma.h"
#include "data/coefficient_record.h"
#include "data/decode_formats.h"
#include "data/inverse_dct.h"

namespace convoy {
namespace {

using Bytes = std::span<const std::byte>;

// Of a component, the blocks whose samples the part's pixels need, those beside them included where chroma is upsampled.
struct Window {
  int left = 0, across = 0, top = 0, down = 0;  // in blocks
};

Window window_of(const CoefficientRecord& record, size_t c, const Crop& part) {
  const auto& component = record.component[c];
  const auto reach = [](int begin, int count, int factor, int size) {
    const int beside = factor > 1;
    const int first = std::max(begin / factor - beside, 0),
              last = std::min((begin + count - 1) / factor + beside, size - 1);
    return std::pair(first / block_side, last / block_side + 1 - first / block_side);
  };
  Window window;
  std::tie(window.left, window.across) =
      reach(part.left, part.width, c == 0 ? 1 : record.across, component.width);
  std::tie(window.top, window.down) =
      reach(part.top, part.height, c == 0 ? 1 : record.down, component.height);
  return window;
}

// The samples of some rows of blocks; one more on either side can be read, and is a copy of the last one at an edge of the
// image.
class Plane {
 public:
  static size_t stride(const Window& window) {
    return static_cast<size_t>(window.across) * block_side + 2 * beside;
  }

  Plane(const CoefficientComponent& component, const Window& window, uint8_t* samples, int16_t* coefficients)
      : component_(component), window_(window), samples_(samples + beside), coefficients_(coefficients) {}

  // `count` rows of blocks from `first` on.
  void decode(Bytes bytes, int first, int count) {
    first_row_ = first * block_side;
    for (int row = 0; row < count; ++row) {
      uint8_t* to = samples_ + static_cast<size_t>(row) * block_side * stride(window_);
      read_blocks(bytes, component_, first + row, window_.left, window_.across, coefficients_);
      inverse_dct(coefficients_, window_.across, component_.quantizers, to, stride(window_));
      for (size_t y = 0; y < block_side; ++y) close_edges(to + y * stride(window_));
    }
  }

  // Where sample `column` of `row` is; rows beyond the image are those at its edge.
  const uint8_t* at(int row, int column) const {
    const int held = std::clamp(row, 0, component_.height - 1) - first_row_;
    return samples_ + static_cast<size_t>(held) * stride(window_) + (column - window_.left * block_side);
  }

 private:
  static constexpr size_t beside = 1;

  void close_edges(uint8_t* row) const {
    if (window_.left == 0) row[-1] = row[0];
    if (window_.left + window_.across == component_.blocks_across) {
      const int last = component_.width - 1 - window_.left * block_side;
      row[last + 1] = row[last];
    }
  }

  const CoefficientComponent& component_;
  Window window_;
  int first_row_ = 0;
  uint8_t* samples_;
  int16_t* coefficients_;
};

// Chroma of the pixels from part.left on of row y: samples as they are, or upsampled into `room`.
const uint8_t* chroma_row(const CoefficientRecord& record, const Plane& plane, const Crop& part, int y,
                          uint8_t* room) {
  const int row = y / record.down, column = part.left / record.across;
  const int samples = (part.left + part.width - 1) / record.across + 1 - column;
  const bool upper = y % 2 == 0;
  const uint8_t* near = plane.at(row, column);
  if (record.across == 1 && record.down == 1) return near;
  if (record.down == 1) {
    upsample_across(near, samples, room);
  } else {
    const uint8_t* far = plane.at(upper ? row - 1 : row + 1, column);
    if (record.across == 1)
      upsample_down(near, far, upper, samples, room);
    else
      upsample_both(near, far, samples, room);
  }
  return room + part.left % record.across;
}

// One piece of memory for all that a part takes: planes of samples, two rows of chroma, one row of blocks.
struct Room {
  std::array<Window, 3> windows;
  std::array<size_t, 3> plane{};
  std::array<size_t, 2> row{};
  size_t coefficients = 0, end = 0;
};

Room room_for(const CoefficientRecord& record, const Crop& part) {
  Room room;
  const auto take = [&](size_t bytes) {
    const size_t at = room.end;
    room.end += (bytes + 63) / 64 * 64;
    return at;
  };
  int widest = 0;
  for (size_t c = 0; c < static_cast<size_t>(record.components); ++c) {
    const Window window = room.windows[c] = window_of(record, c, part);
    const int rows = c == 0 ? 1 : window.down;  // of luma, one at a time
    room.plane[c] = take(Plane::stride(window) * block_side * static_cast<size_t>(rows));
    widest = std::max(widest, window.across);
  }
  for (size_t& row : room.row) row = take(static_cast<size_t>(part.width) + 3);
  room.coefficients = take(static_cast<size_t>(widest) * block_size * sizeof(int16_t));
  return room;
}

}  // namespace

void decode_coefficients(Bytes bytes, const Wanted* wanted, Image& dst) {
  const CoefficientRecord record = read_record_header(bytes);
  prepare(dst, record.width, record.height);
  const Crop whole{0, 0, dst.width, dst.height},
      part = wanted != nullptr ? (*wanted)(dst.width, dst.height) : whole;
  const Room room = room_for(record, part);
  if (const size_t most = room_for(record, whole).end;
      dst.room.size() < most) {  // and so never again for this image
    dst.room.clear();
    dst.room.resize(most);
  }
  const auto plane = [&](size_t c) {
    return Plane(record.component[c], room.windows[c], dst.room.data() + room.plane[c],
                 reinterpret_cast<int16_t*>(dst.room.data() + room.coefficients));
  };
  Plane luma = plane(0), cb = plane(1), cr = plane(2);
  const bool colour = record.components == 3;
  if (colour) cb.decode(bytes, room.windows[1].top, room.windows[1].down);
  if (colour) cr.decode(bytes, room.windows[2].top, room.windows[2].down);
  uint8_t *cb_row = dst.room.data() + room.row[0], *cr_row = dst.room.data() + room.row[1];
  for (int blocks = room.windows[0].top; blocks < room.windows[0].top + room.windows[0].down; ++blocks) {
    luma.decode(bytes, blocks, 1);
    const int end = std::min((blocks + 1) * block_side, part.top + part.height);
    for (int y = std::max(blocks * block_side, part.top); y < end; ++y) {
      const uint8_t* grey = luma.at(y, part.left);
      uint8_t* rgb = dst.rgb.data() + 3 * (static_cast<size_t>(y) * static_cast<size_t>(dst.width) +
                                           static_cast<size_t>(part.left));
      if (colour)
        rgb_of(grey, chroma_row(record, cb, part, y, cb_row), chroma_row(record, cr, part, y, cr_row),
               part.width, rgb);
      else
        rgb_of_grey(grey, part.width, rgb);
    }
  }
}

}  // namespace convoy
