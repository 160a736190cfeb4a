#include "data/jpeg_coefficients.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "base/error.h"
#include "data/coefficient_record.h"
#include "data/jpeg_strict.h"

namespace convoy {
namespace {

struct Reader {
  jpeg_decompress_struct info{};
  StrictErrors errors;
  jvirt_barray_ptr* coefficients = nullptr;
  Reader() { info.err = &errors.base; }
  ~Reader() { jpeg_destroy_decompress(&info); }
  Reader(const Reader&) = delete;
};

// The functions that may be left by longjmp: no object with a destructor lives in them.
bool read_all(Reader& r, std::span<const std::byte> encoded) {
  if (setjmp(r.errors.escape)) return false;
  jpeg_create_decompress(&r.info);
  jpeg_mem_src(&r.info, reinterpret_cast<const unsigned char*>(encoded.data()), encoded.size());
  jpeg_read_header(&r.info, TRUE);
  r.coefficients = jpeg_read_coefficients(&r.info);
  return true;
}

const JBLOCK* row_of(Reader& r, int component, int row) {
  if (setjmp(r.errors.escape)) return nullptr;
  return r.info.mem->access_virt_barray(reinterpret_cast<j_common_ptr>(&r.info), r.coefficients[component],
                                        static_cast<JDIMENSION>(row), 1, FALSE)[0];
}

bool describe(const jpeg_decompress_struct& info, CoefficientRecord& record) {
  const bool grey = info.num_components == 1 && info.jpeg_color_space == JCS_GRAYSCALE;
  const bool colour = info.num_components == 3 && info.jpeg_color_space == JCS_YCbCr;
  if (!(grey || colour) || info.data_precision != 8) return false;
  record.width = static_cast<int>(info.image_width);
  record.height = static_cast<int>(info.image_height);
  record.components = info.num_components;
  if (colour) {
    record.across = info.comp_info[0].h_samp_factor;
    record.down = info.comp_info[0].v_samp_factor;
    if (record.across > 2 || record.down > 2) return false;
    for (int c = 1; c < 3; ++c)
      if (info.comp_info[c].h_samp_factor != 1 || info.comp_info[c].v_samp_factor != 1) return false;
  }
  for (int c = 0; c < info.num_components; ++c) {
    const JQUANT_TBL* table = info.comp_info[c].quant_table;
    if (table == nullptr) return false;
    std::copy_n(table->quantval, block_size, record.component[static_cast<size_t>(c)].quantizers.begin());
  }
  lay_out_record(record);
  return true;
}

// Empty: libjpeg gave up.
std::vector<std::byte> write(Reader& r, const CoefficientRecord& record) {
  std::vector<std::byte> bytes(record.header_bytes);
  size_t size = bytes.size();
  for (int c = 0; c < record.components; ++c) {
    const auto& component = record.component[static_cast<size_t>(c)];
    for (int row = 0; row < component.blocks_down; ++row) {
      const JBLOCK* blocks = row_of(r, c, row);
      if (blocks == nullptr || size > std::numeric_limits<uint32_t>::max()) return {};
      const auto begin = static_cast<uint32_t>(size);
      std::memcpy(bytes.data() + component.rows_at + static_cast<size_t>(row) * sizeof begin, &begin,
                  sizeof begin);
      bytes.resize(size + static_cast<size_t>(component.blocks_across) * most_block_bytes);
      for (int b = 0; b < component.blocks_across; ++b) size += put_block(blocks[b], bytes.data() + size);
    }
  }
  bytes.resize(size);
  bytes.resize(size + record_tail);
  write_record_header(record, bytes);
  return bytes;
}

}  // namespace

std::vector<std::byte> as_coefficients(std::span<const std::byte> encoded, const Image* pixels) {
  if (encoded.size() < 2 || encoded[0] != std::byte{0xff} || encoded[1] != std::byte{0xd8}) return {};
  Reader r;
  CoefficientRecord record;
  std::vector<std::byte> bytes;
  if (read_all(r, encoded) && describe(r.info, record)) bytes = write(r, record);
  if (r.errors.out_of_memory) throw std::bad_alloc();  // the machine's fault: says nothing about the image
  if (pixels != nullptr && !bytes.empty() && !decodes_to(bytes, *pixels)) return {};
  return bytes;
}

}  // namespace convoy
