// The lines of a file that another process appends to: each call gives the whole lines that have come since the last. A
// torn last line waits for its end. The first call starts near the end of a large file. Of a file that has become another
// (a resumed run replaces it) it starts again, and says so. No file: no lines.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace convoy {

class LineTail {
 public:
  explicit LineTail(std::filesystem::path path, uint64_t first_bytes = 1 << 20)
      : path_(std::move(path)), first_bytes_(first_bytes) {}
  std::vector<std::string> more();
  bool restarted() const { return restarted_; }  // by the last call

 private:
  std::filesystem::path path_;
  uint64_t first_bytes_, offset_ = 0;
  ino_t inode_ = 0;
  bool restarted_ = false;
};

}  // namespace convoy
