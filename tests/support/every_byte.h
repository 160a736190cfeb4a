// A file with one bit of one byte flipped, for every byte of it, one after the other: what a reader says of each. `read`
// gives all that it takes from the file as a text, or throws Error. The bit goes with the byte's place, so that all eight are tried.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace convoy::testing {

struct EveryByte {
  size_t bytes = 0, caught = 0, equal = 0;
  std::vector<size_t> silent{};        // places where the reader took other content for good
  std::vector<std::string> unusual{};  // what it said where `usual` does not hold
};

template <class Read, class Usual>
EveryByte flip_every_byte(const std::filesystem::path& path, Read read, Usual usual) {
  EveryByte found;
  const std::string whole = read();
  const std::string content = read_text(path);
  File file(path, File::Mode::update);
  for (; found.bytes < content.size(); ++found.bytes) {
    const size_t at = found.bytes;
    const char flipped = static_cast<char>(content[at] ^ (1 << at % 8));
    file.write_at(at, &flipped, 1);
    try {
      if (read() == whole)
        ++found.equal;
      else
        found.silent.push_back(at);
    } catch (const Error& error) {
      ++found.caught;
      if (!usual(error)) found.unusual.push_back(fmt::format("byte {}: {}", at, error.what()));
    }
    file.write_at(at, &content[at], 1);
  }
  return found;
}

}  // namespace convoy::testing
