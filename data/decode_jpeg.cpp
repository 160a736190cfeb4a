#include <cstdio>  // jpeglib.h needs it, and does not include it

#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <csetjmp>
#include <new>
#include <optional>

#include "base/error.h"
#include "data/decode_formats.h"
#include "data/jpeg_restarts.h"

namespace convoy {
namespace {

// Each scan of a progressive file costs a pass over all coefficients, however few bytes it has.
constexpr int max_scans = 500;

// libjpeg's handlers may neither throw nor return from an error, so text waits in plain arrays and longjmp goes back.
struct Errors {
  jpeg_error_mgr base;
  std::jmp_buf escape;
  int64_t warnings;
  bool out_of_memory;
  char reason[JMSG_LENGTH_MAX], first_warning[JMSG_LENGTH_MAX];
};

Errors& errors_of(j_common_ptr info) { return *reinterpret_cast<Errors*>(info->err); }

[[noreturn]] void on_error(j_common_ptr info) {
  info->err->format_message(info, errors_of(info).reason);
  errors_of(info).out_of_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
  std::longjmp(errors_of(info).escape, 1);
}

void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;  // a trace message
  if (errors_of(info).warnings++ == 0) info->err->format_message(info, errors_of(info).first_warning);
}

void on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= max_scans) return;
  std::snprintf(errors_of(info).reason, JMSG_LENGTH_MAX, "more than %d scans", max_scans);
  std::longjmp(errors_of(info).escape, 1);
}

struct Decompressor {
  jpeg_decompress_struct info{};
  Errors errors{};
  jpeg_progress_mgr progress{};
  Decompressor() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = on_error;
    errors.base.emit_message = on_message;
    progress.progress_monitor = on_progress;
  }
  ~Decompressor() { jpeg_destroy_decompress(&info); }
  Decompressor(const Decompressor&) = delete;
};

// The functions that may be left by longjmp: no object with a destructor lives in them. False: errors.reason says why.
bool read_header(Decompressor& d, std::span<const std::byte> encoded) {
  if (setjmp(d.errors.escape)) return false;
  jpeg_create_decompress(&d.info);
  d.info.progress = &d.progress;
  jpeg_mem_src(&d.info, reinterpret_cast<const unsigned char*>(encoded.data()), encoded.size());
  jpeg_read_header(&d.info, TRUE);
  return true;
}

bool start(Decompressor& d) {
  if (setjmp(d.errors.escape)) return false;
  jpeg_start_decompress(&d.info);
  return true;
}

// From then on rows are of the `width` pixels from `left` on: at least those asked for.
bool cut_columns(Decompressor& d, JDIMENSION* left, JDIMENSION* width) {
  if (setjmp(d.errors.escape)) return false;
  jpeg_crop_scanline(&d.info, left, width);
  return true;
}

bool skip_rows(Decompressor& d, JDIMENSION rows) {
  if (setjmp(d.errors.escape)) return false;
  return jpeg_skip_scanlines(&d.info, rows) == rows;
}

bool read_row(Decompressor& d, uint8_t* row) {
  if (setjmp(d.errors.escape)) return false;
  return jpeg_read_scanlines(&d.info, &row, 1) == 1;
}

bool finish(Decompressor& d) {
  if (setjmp(d.errors.escape)) return false;
  jpeg_finish_decompress(&d.info);
  return true;
}

// Pillow's CMYK to RGB after inversion: nk - (255 - ink) * nk / 255 with its rounding (Convert.c, cmyk2rgb).
void cmyk_to_rgb(const uint8_t* src, uint8_t* dst, int width) {
  for (int x = 0; x < width; ++x) {
    const int black = src[4 * x + 3];
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - src[4 * x + c]) * black + 128;
      dst[3 * x + c] = static_cast<uint8_t>(black - (((product >> 8) + product) >> 8));
    }
  }
}

// Decodes the rows and columns of `part` that d's image has, which begins at `place` in dst. Throws.
void read_part(Decompressor& d, const Crop& place, const Crop& part, Image& dst) {
  const auto must = [&d](bool fine) {
    if (!fine && d.errors.out_of_memory) throw std::bad_alloc();  // the machine's fault, not the image's
    if (!fine) fail("JPEG: {}", d.errors.reason);
  };
  const int components = d.info.num_components;
  d.info.out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;
  must(start(d));
  // Upsampled chroma looks one sample to each side, of as many pixels as the factors say at most; and where a progressive
  // image lacks its last scans, the blocks are smoothed with two neighbours' to each side.
  const int samples = d.info.progressive_mode ? 2 * DCTSIZE : 2;
  const int beside = samples * d.info.max_h_samp_factor, above = samples * d.info.max_v_samp_factor;
  JDIMENSION left = 0, width = static_cast<JDIMENSION>(place.width);
  if (part.width < place.width) {
    const int first = part.left - place.left;
    left = static_cast<JDIMENSION>(std::max(first - beside, 0));
    width = static_cast<JDIMENSION>(std::min(first + part.width + beside, place.width)) - left;
    must(cut_columns(d, &left, &width));
  }
  const auto agrees = [&] {
    return d.info.output_width == width && d.info.output_height == static_cast<unsigned>(place.height) &&
           d.info.output_components == (components == 4 ? 4 : 3);
  };
  require(agrees(), "JPEG: its size changes inside the scan");
  const int top = std::max(part.top - place.top - above, 0), bottom = part.top - place.top + part.height;
  if (top > 0) must(skip_rows(d, static_cast<JDIMENSION>(top)));
  std::vector<uint8_t> inks(components == 4 ? size_t{width} * 4 : 0);
  for (int y = top; y < bottom; ++y) {
    const size_t at = static_cast<size_t>(place.top + y) * static_cast<size_t>(dst.width);
    uint8_t* row = dst.rgb.data() + (at + static_cast<size_t>(place.left) + left) * 3;
    require(agrees(), "JPEG: its size changes inside the scan");
    must(read_row(d, inks.empty() ? row : inks.data()));
    if (!inks.empty()) cmyk_to_rgb(inks.data(), row, static_cast<int>(width));
  }
  if (bottom == place.height) must(finish(d));
}

// The same from a smaller JPEG with just that part. False where anything is unusual: then all of it is to be read.
bool read_cut_out(std::span<const std::byte> smaller, const Crop& place, const Crop& part, Image& dst) {
  Decompressor d;
  if (!read_header(d, smaller)) return false;
  if (d.info.image_width != static_cast<unsigned>(place.width) ||
      d.info.image_height != static_cast<unsigned>(place.height))
    return false;
  try {
    read_part(d, place, part, dst);
  } catch (const Error&) {
    return false;
  }
  return d.errors.warnings == 0;
}

}  // namespace

void decode_jpeg(std::span<const std::byte> encoded, const Wanted* wanted, Image& dst, DecodeReport& report) {
  std::optional<Crop> part;
  if (wanted != nullptr) {
    if (const auto frame = read_restart_frame(encoded)) {
      prepare(dst, frame->width, frame->height);
      part = (*wanted)(dst.width, dst.height);
      std::vector<std::byte> smaller;
      const auto place = cut_out(*frame, encoded, *part, smaller);
      if (place && read_cut_out(smaller, *place, *part, dst)) return;
    }
  }
  Decompressor d;
  if (!read_header(d, encoded)) {
    if (d.errors.out_of_memory) throw std::bad_alloc();
    fail("JPEG: {}", d.errors.reason);
  }
  const int components = d.info.num_components;
  require(d.info.data_precision == 8, "JPEG: {} bits a sample; only 8 are read", d.info.data_precision);
  require(components == 1 || components == 3 || components == 4,
          "JPEG: {} components; only 1, 3 and 4 are read", components);
  // From here on the size is ours: a second frame header inside the scan would change the one in d.info.
  prepare(dst, d.info.image_width, d.info.image_height);
  const Crop whole{0, 0, dst.width, dst.height};
  if (!part) part = wanted != nullptr ? (*wanted)(dst.width, dst.height) : whole;
  read_part(d, whole, *part, dst);
  report.warnings = d.errors.warnings;
  report.first_warning = d.errors.first_warning;
}

std::optional<ImageSize> plain_jpeg(std::span<const std::byte> encoded) {
  if (encoded.size() < 2 || encoded[0] != std::byte{0xff} || encoded[1] != std::byte{0xd8}) return {};
  Decompressor d;
  if (!read_header(d, encoded) || d.errors.warnings > 0) return {};
  const auto& info = d.info;
  const auto sampled = [&](int component, int across, int down) {
    return info.comp_info[component].h_samp_factor == across &&
           info.comp_info[component].v_samp_factor == down;
  };
  const bool grey = info.num_components == 1 && info.jpeg_color_space == JCS_GRAYSCALE;
  const bool colour = info.num_components == 3 && info.jpeg_color_space == JCS_YCbCr && sampled(1, 1, 1) &&
                      sampled(2, 1, 1) &&
                      (sampled(0, 1, 1) || sampled(0, 2, 1) || sampled(0, 1, 2) || sampled(0, 2, 2));
  if (info.progressive_mode != FALSE || info.arith_code != FALSE || info.data_precision != 8 ||
      info.comps_in_scan != info.num_components || !(grey || colour) ||
      int64_t{info.image_width} * info.image_height > max_image_pixels)
    return {};
  return ImageSize{static_cast<int>(info.image_width), static_cast<int>(info.image_height)};
}

}  // namespace convoy
