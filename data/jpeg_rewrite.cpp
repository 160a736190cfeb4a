#include "data/jpeg_rewrite.h"

#include <cstdlib>
#include <new>

#include "base/error.h"
#include "data/jpeg_restarts.h"
#include "data/jpeg_strict.h"

namespace convoy {
namespace {

// Pixels between two markers, if the row can be cut so: markers cost bytes and time, and what lies between two is decoded as
// a whole.
constexpr unsigned narrowest = 24, widest = 128;

struct Rewriter {
  jpeg_decompress_struct from{};
  jpeg_compress_struct to{};
  StrictErrors errors;
  // Room for more than what comes out. Should it not be enough, libjpeg's is by malloc; what `bytes` points to is known at the
  // start and at the end alone.
  std::vector<unsigned char> room;
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  bool finished = false;
  explicit Rewriter(size_t encoded)
      : room(2 * encoded + (size_t{1} << 16)), bytes(room.data()), size(room.size()) {
    from.err = to.err = &errors.base;
  }
  ~Rewriter() {
    jpeg_destroy_compress(&to);
    jpeg_destroy_decompress(&from);
    if (finished && bytes != room.data()) std::free(bytes);
  }
  Rewriter(const Rewriter&) = delete;
};

// Rows of a prime number of MCUs stay whole.
unsigned interval_for(unsigned mcus, unsigned mcu_width) {
  for (unsigned n = 1; n * mcu_width <= widest; ++n)
    if (n * mcu_width >= narrowest && mcus % n == 0) return n;
  return mcus;
}

// May be left by longjmp: no object with a destructor lives in it.
bool rewrite(Rewriter& r, std::span<const std::byte> encoded) {
  if (setjmp(r.errors.escape)) return false;
  jpeg_create_decompress(&r.from);
  jpeg_create_compress(&r.to);
  jpeg_mem_src(&r.from, reinterpret_cast<const unsigned char*>(encoded.data()), encoded.size());
  jpeg_read_header(&r.from, TRUE);
  jvirt_barray_ptr* coefficients = jpeg_read_coefficients(&r.from);
  jpeg_copy_critical_parameters(&r.from, &r.to);
  const unsigned mcu = r.from.num_components == 1 ? 8 : 8 * static_cast<unsigned>(r.from.max_h_samp_factor);
  r.to.restart_interval = interval_for((r.from.image_width + mcu - 1) / mcu, mcu);
  r.to.optimize_coding = TRUE;
  jpeg_mem_dest(&r.to, &r.bytes, &r.size);
  jpeg_write_coefficients(&r.to, coefficients);
  jpeg_finish_compress(&r.to);
  r.finished = true;
  jpeg_finish_decompress(&r.from);
  return true;
}

}  // namespace

std::vector<std::byte> with_restarts(std::span<const std::byte> encoded, const Image* pixels) {
  if (encoded.size() < 2 || encoded[0] != std::byte{0xff} || encoded[1] != std::byte{0xd8}) return {};
  if (const auto frame = read_restart_frame(encoded);
      frame && frame->interval * frame->mcu_width <= static_cast<int>(widest))
    return {};
  Rewriter r(encoded.size());
  if (!rewrite(r, encoded)) {
    if (r.errors.out_of_memory) throw std::bad_alloc();  // the machine's fault: says nothing about the image
    return {};
  }
  const auto* begin = reinterpret_cast<const std::byte*>(r.bytes);
  std::vector<std::byte> rewritten(begin, begin + r.size);
  if (!read_restart_frame(rewritten)) return {};
  if (pixels != nullptr && !decodes_to(rewritten, *pixels)) return {};
  return rewritten;
}

}  // namespace convoy
