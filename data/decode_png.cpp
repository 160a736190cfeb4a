#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/error.h"
#include "data/decode_formats.h"

namespace convoy {
namespace {

struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::byte* at = nullptr;
  size_t left = 0;
  std::jmp_buf escape{};
  int64_t warnings = 0;
  bool out_of_memory = false;
  char reason[200] = "", first_warning[200] = "";
  Reader() = default;
  Reader(const Reader&) = delete;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  auto& reader = *static_cast<Reader*>(png_get_error_ptr(png));
  std::snprintf(reader.reason, sizeof reader.reason, "%s", text);
  std::longjmp(reader.escape, 1);
}

void on_warning(png_structp png, png_const_charp text) {
  auto& reader = *static_cast<Reader*>(png_get_error_ptr(png));
  if (reader.warnings++ == 0) std::snprintf(reader.first_warning, sizeof reader.first_warning, "%s", text);
}

png_voidp on_malloc(png_structp png, png_alloc_size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) static_cast<Reader*>(png_get_mem_ptr(png))->out_of_memory = true;
  return memory;
}

void on_free(png_structp, png_voidp memory) { std::free(memory); }

void on_read(png_structp png, png_bytep into, size_t bytes) {
  auto& reader = *static_cast<Reader*>(png_get_io_ptr(png));
  if (bytes > reader.left) png_error(png, "the file ends too early");
  std::memcpy(into, reader.at, bytes);
  reader.at += bytes;
  reader.left -= bytes;
}

// The functions that may be left by longjmp: no object with a destructor lives in them. False: reader.reason says why.
bool read_header(Reader& reader) {
  if (setjmp(reader.escape)) return false;
  reader.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning, &reader,
                                        on_malloc, on_free);
  if (!reader.png) return false;
  reader.info = png_create_info_struct(reader.png);
  if (!reader.info) return false;
  png_set_read_fn(reader.png, &reader, on_read);
  png_set_user_limits(reader.png, max_image_side, max_image_side);
  png_set_chunk_malloc_max(reader.png, 8 << 20);
  // Text, times and colour profiles are not looked at, so their flaws are no warnings either.
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(reader.png, reader.info);
  return true;
}

// As Pillow: the high byte of 16 bits, palettes and small grays expanded, alpha dropped without blending. One departure:
// 16-bit gray, too, gives its high byte, where Pillow clips at 255 and so makes nearly everything white.
bool ask_for_rgb(Reader& reader) {
  if (setjmp(reader.escape)) return false;
  png_set_strip_16(reader.png);
  png_set_palette_to_rgb(reader.png);
  png_set_expand_gray_1_2_4_to_8(reader.png);
  png_set_strip_alpha(reader.png);
  png_set_gray_to_rgb(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool read_image(Reader& reader, png_bytepp rows) {
  if (setjmp(reader.escape)) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, nullptr);
  return true;
}

}  // namespace

void decode_png(std::span<const std::byte> encoded, Image& dst, DecodeReport& report) {
  Reader reader;
  reader.at = encoded.data();
  reader.left = encoded.size();
  const auto must = [&reader](bool fine) {
    if (!fine && reader.out_of_memory) throw std::bad_alloc();  // the machine's fault, not the image's
    if (!fine) fail("PNG: {}", reader.reason);
  };
  must(read_header(reader));
  const int64_t height = png_get_image_height(reader.png, reader.info);
  // Deflate cannot expand more than 1032 times: refuse a bomb's claim before making room for it.
  const auto packed_row = static_cast<int64_t>(png_get_rowbytes(reader.png, reader.info));
  require(packed_row * height / 1032 <= static_cast<int64_t>(encoded.size()),
          "PNG: {} bytes cannot hold the {} x {} pixels of its header", encoded.size(),
          png_get_image_width(reader.png, reader.info), height);
  prepare(dst, png_get_image_width(reader.png, reader.info), height);
  must(ask_for_rgb(reader));
  require(png_get_rowbytes(reader.png, reader.info) == static_cast<size_t>(dst.width) * 3,
          "PNG: a combination of colour type and depth that is not read");
  std::vector<png_bytep> rows(static_cast<size_t>(dst.height));
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = dst.rgb.data() + y * static_cast<size_t>(dst.width) * 3;
  must(read_image(reader, rows.data()));
  report.warnings = reader.warnings;
  report.first_warning = reader.first_warning;
}

}  // namespace convoy
