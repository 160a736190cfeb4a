// From a row of blocks of quantized DCT coefficients to samples: the "slow integer" inverse transform of libjpeg, whose
// rounding is what JPEGs look like nearly everywhere. One of Loeffler, Ligtenberg and Moschytz's (ICASSP 1989) with 12
// multiplications of 13 fractional bits, columns before rows, two fractional bits kept between them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "data/coefficient_record.h"

namespace convoy {

// int16 [blocks][row][column] to uint8 [8][8 * blocks], `stride` bytes from row to row. Beyond what samples of 8 bits give,
// arithmetic wraps: the same bits everywhere, of no meaning.
void inverse_dct(const int16_t* coefficients, int blocks, const std::array<uint16_t, block_size>& quantizers,
                 uint8_t* samples, size_t stride);

}  // namespace convoy
