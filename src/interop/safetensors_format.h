// The parts of safetensors that reader and writer share: types and their sizes, the checksum, the header as a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/digest.h"
#include "interop/safetensors.h"

namespace convoy::safetensors {

inline constexpr const char* checksum_key = "convoy_xxh3";
inline constexpr uint64_t longest_header = 100'000'000;  // as in the format's own library

uint64_t bytes_of(const std::string& dtype);  // of one element; 0: not a type of the format that we know

struct Header {
  std::vector<TensorEntry> tensors;  // ascending name
  TensorMetadata metadata;
};
// Throws Error with the reason alone; the caller names the file.
Header parse_header(const std::string& text, uint64_t data_bytes);

// What a checksum starts with, and what it adds for each tensor, in ascending order of names, before its bytes.
Digest digest_of(const TensorMetadata& metadata);
void add_heading(Digest& digest, const std::string& name, const std::string& dtype,
                 const std::vector<int64_t>& shape);

}  // namespace convoy::safetensors
