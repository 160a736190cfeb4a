// Encoded images for the tests, made on the spot with libjpeg and libpng, and a folder that is gone at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "../support/temporary_folder.h"
#include "data/decode.h"

namespace convoy::fixtures {

using Bytes = std::vector<std::byte>;

struct JpegStyle {
  int quality = 90;
  bool progressive = false, arithmetic = false;
  bool subsampled = true;
  bool ycck = false;         // four components only
  int across = 0, down = 0;  // sampling factors of the first component; 0: as `subsampled` says
  unsigned restart = 0;      // MCUs between restart markers
};

// `samples` is [height][width][components]: 1 = gray, 3 = RGB, 4 = CMYK as stored (Adobe: inverted).
Bytes jpeg(int width, int height, int components, const std::vector<uint8_t>& samples,
           const JpegStyle& style = {});

struct PngStyle {
  int depth = 8;
  int colour = 2;  // PNG's own numbers: 0 gray, 2 RGB, 3 palette, 4 gray + alpha, 6 RGBA
  bool interlaced = false;
  std::vector<uint8_t> palette = {};  // RGB triples
};

// `packed` holds the rows as PNG packs them (16-bit samples big-endian).
Bytes png(int width, int height, const std::vector<uint8_t>& packed, const PngStyle& style = {});

// Smooth but lopsided, so that a flip, a transposition or a swap of channels shows.
Image pattern(int width, int height);

Bytes read_bytes(const std::filesystem::path& path);

using testing::TemporaryFolder;

// CONVOY_REAL_DATA, or "" after a visible line that says what is skipped.
std::filesystem::path real_data(const std::string& what);
// The Python that can import Pillow and numpy (CONVOY_PYTHON, else python3), or "" after a visible line.
std::string python_with_pillow(const std::string& what);

}  // namespace convoy::fixtures
