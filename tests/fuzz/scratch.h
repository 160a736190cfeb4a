// Bytes as files, for readers that want a path: in a folder of this process, gone with it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../support/temporary_folder.h"
#include "readers.h"

namespace convoy::fuzz {

inline std::string as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Cut at every 0x1e; always at least `at_least` parts, the last of them empty where the bytes have fewer.
inline std::vector<Bytes> parts_of(Bytes bytes, size_t at_least) {
  std::vector<Bytes> parts;
  while (true) {
    const auto end = std::find(bytes.begin(), bytes.end(), std::byte{0x1e});
    parts.push_back(bytes.first(static_cast<size_t>(end - bytes.begin())));
    if (end == bytes.end()) break;
    bytes = bytes.subspan(parts.back().size() + 1);
  }
  parts.resize(std::max(parts.size(), at_least));
  return parts;
}

inline const std::filesystem::path& scratch() {
  static const testing::TemporaryFolder folder;
  return folder.path();
}

inline std::filesystem::path written(const std::string& name, Bytes bytes) {
  const std::filesystem::path path = scratch() / name;
  std::filesystem::remove(path);  // a new file: HDF5 may still have one open that it could not close
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return path;
}

}  // namespace convoy::fuzz
