// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), and the mask that TFRecord files put over it: a CRC of data that
// holds CRCs is weak, so each is rotated by 15 bits and 0xa282ead8 is added (tensorflow/core/lib/hash/crc32c.h).
#pragma once

#include <cstdint>
#include <string_view>

namespace convoy {

uint32_t crc32c(std::string_view bytes);
uint32_t masked_crc32c(std::string_view bytes);

}  // namespace convoy
