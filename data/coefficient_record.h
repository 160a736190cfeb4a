// A JPEG's quantized DCT coefficients as a record of a shard, with no Huffman codes in the way: what `convoy pack
// --coefficients` writes in place of a JPEG (FORMAT.md says every byte). The blocks of 8 x 8 of each component lie row by
// row, and an index tells where each row begins, so that of a part of the image only its own blocks are transformed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace convoy {

constexpr int block_side = 8, block_size = block_side * block_side;

struct CoefficientComponent {
  int width = 0, height = 0;                      // in samples
  int blocks_across = 0, blocks_down = 0;         // that hold them
  std::array<uint16_t, block_size> quantizers{};  // [row][column]
  size_t rows_at = 0;                             // where in the record the u32 are, one a row of blocks
};

struct CoefficientRecord {
  int width = 0, height = 0;
  int across = 1, down = 1;  // pixels to a sample of chroma
  int components = 0;        // 1: grey; 3: Y, Cb, Cr
  std::array<CoefficientComponent, 3> component{};
  size_t header_bytes = 0;  // where the first block lies
};

constexpr int coefficient_version = 1;

bool is_coefficient_record(std::span<const std::byte> bytes);

// Sizes and places from width, height, across, down and components.
void lay_out_record(CoefficientRecord& record);
void write_record_header(const CoefficientRecord& record,
                         std::span<std::byte> to);  // header_bytes, the index left as it is

// Throws Error where the bytes cannot be such a record; asks for no memory. Where rows of blocks begin is not looked at.
CoefficientRecord read_record_header(std::span<const std::byte> bytes);

// One block, [row][column] as it is quantized; at most `most_block_bytes`. Returns how many bytes it takes.
constexpr size_t most_block_bytes = 3 + block_side + 2 * block_size;
size_t put_block(const int16_t* coefficients, std::byte* to);

// So many bytes, zeros, end a record: blocks are read in pieces of 8 bytes, and where they end is looked at afterwards.
constexpr size_t record_tail = 96;
static_assert(record_tail >= 3 + block_side + block_size + 8);

// Blocks [first, first + count) of row `row` of a component: int16 [count][row][column]. Throws Error.
void read_blocks(std::span<const std::byte> bytes, const CoefficientComponent& component, int row, int first,
                 int count, int16_t* coefficients);

}  // namespace convoy
