#include "data/jpeg_restarts.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace convoy {
namespace {

using Bytes = std::span<const std::byte>;

constexpr int block = 8;  // samples

int byte_at(Bytes bytes, size_t at) { return std::to_integer<int>(bytes[at]); }
int word_at(Bytes bytes, size_t at) { return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1); }

enum Marker : int {
  sof0 = 0xc0,
  dht = 0xc4,
  rst0 = 0xd0,
  eoi = 0xd9,
  sos = 0xda,
  dqt = 0xdb,
  dri = 0xdd,
  app0 = 0xe0
};
constexpr int adobe = app0 + 14, last_app = app0 + 15, comment = 0xfe;

// `body` is what follows the length. False: not one of ours.
bool read_frame(Bytes body, RestartFrame& frame, int& components) {
  if (body.size() < 6 || byte_at(body, 0) != 8) return false;
  frame.height = word_at(body, 1);
  frame.width = word_at(body, 3);
  components = byte_at(body, 5);
  if (frame.width == 0 || frame.height == 0 || (components != 1 && components != 3 && components != 4) ||
      body.size() != 6 + 3 * static_cast<size_t>(components))
    return false;
  int most_across = 1, most_down = 1;
  for (int c = 0; c < components; ++c) {
    const int factors = byte_at(body, 7 + 3 * static_cast<size_t>(c)), across = factors >> 4,
              down = factors & 15;
    if (across < 1 || across > 4 || down < 1 || down > 4) return false;
    most_across = std::max(most_across, across);
    most_down = std::max(most_down, down);
  }
  if (components == 1 && (most_across > 1 || most_down > 1)) return false;  // of one block, whatever they say
  frame.mcu_width = block * most_across;
  frame.mcu_height = block * most_down;
  frame.mcus_across = (frame.width + frame.mcu_width - 1) / frame.mcu_width;
  frame.mcus_down = (frame.height + frame.mcu_height - 1) / frame.mcu_height;
  return true;
}

// All components at once and all of each coefficient.
bool is_whole_scan(Bytes body, int components) {
  const auto n = static_cast<size_t>(components);
  return body.size() == 4 + 2 * n && byte_at(body, 0) == components && byte_at(body, 1 + 2 * n) == 0 &&
         byte_at(body, 2 + 2 * n) == 63 && byte_at(body, 3 + 2 * n) == 0;
}

// From `at`, behind the byte that follows the next 0xff that is no data; 0: there is none.
size_t behind_marker(Bytes encoded, size_t at) {
  while (at + 1 < encoded.size()) {
    const void* found = std::memchr(encoded.data() + at, 0xff, encoded.size() - 1 - at);
    if (found == nullptr) return 0;
    at = static_cast<size_t>(static_cast<const std::byte*>(found) - encoded.data()) + 2;
    if (byte_at(encoded, at - 1) != 0) return at;
  }
  return 0;
}

void append(std::vector<std::byte>& to, Bytes bytes) {
  const size_t at = to.size();
  to.resize(at + bytes.size());
  if (!bytes.empty()) std::memcpy(to.data() + at, bytes.data(), bytes.size());
}

void put_word(std::vector<std::byte>& to, size_t at, int value) {
  to[at] = std::byte(value >> 8 & 255);
  to[at + 1] = std::byte(value & 255);
}

// Pixels [begin, end) along one side, and what the samples on either side of them are part of, in units of `unit` pixels.
std::pair<int, int> units(int begin, int count, int margin, int unit, int most) {
  return {std::max(begin - margin, 0) / unit, std::min((begin + count + margin + unit - 1) / unit, most)};
}

}  // namespace

std::optional<RestartFrame> read_restart_frame(Bytes encoded) {
  RestartFrame frame;
  int components = 0;
  for (size_t at = 2; at + 4 <= encoded.size();) {
    if (byte_at(encoded, at) != 0xff) return {};
    const int marker = byte_at(encoded, at + 1), length = word_at(encoded, at + 2);
    const size_t end = at + 2 + static_cast<size_t>(length);
    if (length < 2 || end > encoded.size()) return {};
    const Bytes body = encoded.subspan(at + 4, end - at - 4);
    if (marker == sof0) {
      if (components != 0 || !read_frame(body, frame, components)) return {};
      frame.size_at = at + 5;
    } else if (marker == dri) {
      if (body.size() != 2) return {};
      frame.interval = word_at(body, 0);
    } else if (marker == sos) {
      if (components == 0 || !is_whole_scan(body, components) || frame.interval == 0 ||
          frame.mcus_across % frame.interval != 0)
        return {};
      if (frame.count == frame.parts.size()) return {};
      frame.parts[frame.count++] = encoded.subspan(at, end - at);
      frame.scan = end;
      return frame;
    } else if (marker != dht && marker != dqt && marker != comment && (marker < app0 || marker > last_app)) {
      return {};
    }
    if (marker != comment && (marker <= app0 || marker == adobe)) {
      if (frame.count == frame.parts.size()) return {};
      frame.parts[frame.count++] = encoded.subspan(at, end - at);
    }
    at = end;
  }
  return {};
}

std::optional<Crop> cut_out(const RestartFrame& f, Bytes encoded, const Crop& wanted,
                            std::vector<std::byte>& smaller) {
  // Upsampling looks one sample to each side, of as many pixels as there are blocks in an MCU at most.
  const int margin_across = 2 * f.mcu_width / block, margin_down = 2 * f.mcu_height / block;
  const int across = f.mcus_across / f.interval, piece = f.interval * f.mcu_width;
  const auto [first_column, end_column] = units(wanted.left, wanted.width, margin_across, piece, across);
  const auto [first_row, end_row] = units(wanted.top, wanted.height, margin_down, f.mcu_height, f.mcus_down);
  Crop part{first_column * piece, first_row * f.mcu_height, 0, 0};
  part.width = std::min(end_column * piece, f.width) - part.left;
  part.height = std::min(end_row * f.mcu_height, f.height) - part.top;

  // The pieces first, so that no more memory is asked for than they need.
  std::vector<Bytes> pieces;
  size_t size = 0, at = f.scan;
  for (int row = 0; row < end_row; ++row)
    for (int column = 0; column < across; ++column) {
      const int64_t number = int64_t{row} * across + column;
      const size_t next = behind_marker(encoded, at);
      const bool last = number + 1 == int64_t{f.mcus_down} * across;
      if (next == 0 || byte_at(encoded, next - 1) != (last ? eoi : rst0 + static_cast<int>(number % 8)))
        return {};
      if (row >= first_row && column >= first_column && column < end_column) {
        pieces.push_back(encoded.subspan(at, next - 2 - at));
        size += pieces.back().size() + 2;
      }
      at = next;
    }
  for (const Bytes header : f.headers()) size += header.size();
  smaller.clear();
  smaller.reserve(size + 2);
  append(smaller, encoded.first(2));
  for (const Bytes header : f.headers()) {
    const size_t begin = static_cast<size_t>(header.data() - encoded.data()),
                 to = smaller.size() + f.size_at - begin;
    append(smaller, header);
    if (f.size_at < begin || f.size_at >= begin + header.size()) continue;
    put_word(smaller, to, part.height);
    put_word(smaller, to + 2, part.width);
  }
  for (size_t i = 0; i < pieces.size(); ++i) {
    append(smaller, pieces[i]);
    smaller.push_back(std::byte{0xff});
    smaller.push_back(std::byte(i + 1 < pieces.size() ? rst0 + static_cast<int>(i % 8) : eoi));
  }
  return part;
}

}  // namespace convoy
