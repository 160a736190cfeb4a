#include "decode_fixtures.h"

#include <cstdio>  // jpeglib.h needs it

#include <jpeglib.h>
#include <png.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"

namespace convoy::fixtures {

Bytes jpeg(int width, int height, int components, const std::vector<uint8_t>& samples,
           const JpegStyle& style) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = components;
  info.in_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  if (style.ycck) jpeg_set_colorspace(&info, JCS_YCCK);
  jpeg_set_quality(&info, style.quality, TRUE);
  if (!style.subsampled) info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
  if (style.across > 0) info.comp_info[0].h_samp_factor = style.across;
  if (style.down > 0) info.comp_info[0].v_samp_factor = style.down;
  info.restart_interval = style.restart;
  if (style.progressive) jpeg_simple_progression(&info);
  info.arith_code = style.arithmetic ? TRUE : FALSE;
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row =
        const_cast<JSAMPLE*>(samples.data() + static_cast<size_t>(info.next_scanline) * width * components);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const auto* from = reinterpret_cast<const std::byte*>(bytes);
  Bytes result(from, from + size);
  std::free(bytes);
  return result;
}

Bytes png(int width, int height, const std::vector<uint8_t>& packed, const PngStyle& style) {
  Bytes result;
  png_structp writer = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(writer);
  png_set_write_fn(
      writer, &result,
      [](png_structp png, png_bytep data, size_t size) {
        const auto* from = reinterpret_cast<const std::byte*>(data);
        auto& to = *static_cast<Bytes*>(png_get_io_ptr(png));
        to.insert(to.end(), from, from + size);
      },
      nullptr);
  png_set_IHDR(writer, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), style.depth,
               style.colour, style.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> palette;
  for (size_t i = 0; i + 2 < style.palette.size(); i += 3)
    palette.push_back({style.palette[i], style.palette[i + 1], style.palette[i + 2]});
  if (!palette.empty()) png_set_PLTE(writer, info, palette.data(), static_cast<int>(palette.size()));
  png_write_info(writer, info);
  const size_t stride = packed.size() / static_cast<size_t>(height);
  std::vector<png_bytep> rows;
  for (int y = 0; y < height; ++y) rows.push_back(const_cast<png_bytep>(packed.data() + y * stride));
  png_write_image(writer, rows.data());
  png_write_end(writer, nullptr);
  png_destroy_write_struct(&writer, &info);
  return result;
}

Image pattern(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        image.rgb.push_back(static_cast<uint8_t>(std::lround(
            127.5 + 70 * std::sin(0.11 * x * (c + 1) + 0.05 * y) + 50 * std::cos(0.17 * y - 0.6 * c))));
  return image;
}

Bytes read_bytes(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  const auto* from = reinterpret_cast<const std::byte*>(text.data());
  return {from, from + text.size()};
}

std::filesystem::path real_data(const std::string& what) {
  const char* place = std::getenv("CONVOY_REAL_DATA");
  if (place && *place) return place;
  WARN("SKIPPED: " << what << ": set CONVOY_REAL_DATA to the folder of real images");
  return {};
}

std::string python_with_pillow(const std::string& what) {
  const char* chosen = std::getenv("CONVOY_PYTHON");
  const std::string python = chosen && *chosen ? chosen : "python3";
  if (std::system(("'" + python + "' -c 'import PIL.Image, numpy' 2> /dev/null").c_str()) == 0) return python;
  WARN("SKIPPED: " << what << ": " << python
                   << " cannot import Pillow and numpy (CONVOY_PYTHON names another)");
  return {};
}

}  // namespace convoy::fixtures
