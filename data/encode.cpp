#include "data/encode.h"

#include <cstdio>  // jpeglib.h needs it, and does not include it

#include <jpeglib.h>

#include <csetjmp>
#include <cstdlib>

#include "base/error.h"

namespace convoy {
namespace {

struct Errors {
  jpeg_error_mgr base;
  std::jmp_buf escape;
  char reason[JMSG_LENGTH_MAX];
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto& errors = *reinterpret_cast<Errors*>(info->err);
  info->err->format_message(info, errors.reason);
  std::longjmp(errors.escape, 1);
}

struct Compressor {
  jpeg_compress_struct info{};
  Errors errors{};
  unsigned char* bytes = nullptr;  // libjpeg's, by malloc
  unsigned long size = 0;
  Compressor() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = on_error;
  }
  ~Compressor() {
    jpeg_destroy_compress(&info);
    std::free(bytes);
  }
  Compressor(const Compressor&) = delete;
};

// May be left by longjmp: no object with a destructor lives in it.
bool write(Compressor& c, const Image& image, int quality) {
  if (setjmp(c.errors.escape)) return false;
  jpeg_create_compress(&c.info);
  jpeg_mem_dest(&c.info, &c.bytes, &c.size);
  c.info.image_width = static_cast<JDIMENSION>(image.width);
  c.info.image_height = static_cast<JDIMENSION>(image.height);
  c.info.input_components = 3;
  c.info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&c.info);
  jpeg_set_quality(&c.info, quality, TRUE);
  jpeg_start_compress(&c.info, TRUE);
  const size_t stride = static_cast<size_t>(image.width) * 3;
  while (c.info.next_scanline < c.info.image_height) {
    auto* row = const_cast<JSAMPLE*>(image.rgb.data() + c.info.next_scanline * stride);
    jpeg_write_scanlines(&c.info, &row, 1);
  }
  jpeg_finish_compress(&c.info);
  return true;
}

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  ensure(image.rgb.size() == static_cast<size_t>(image.width) * image.height * 3);
  Compressor c;
  require(write(c, image, quality), "cannot encode {} x {} pixels as JPEG: {}", image.width, image.height,
          c.errors.reason);
  const auto* from = reinterpret_cast<const std::byte*>(c.bytes);
  return {from, from + c.size};
}

}  // namespace convoy
