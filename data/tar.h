// The members of a tar archive, or of a tar inside a tar, as byte ranges of the outer file: nothing is extracted, and no
// name from an archive ever becomes a path on disk. Reads v7, ustar, GNU (long names, base-256 sizes) and pax (path,
// linkpath, size). Every header's checksum is verified; an archive that ends early is named with the byte where it does.
// One small pread a header: a file of any size costs a few KiB of memory besides the list.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.h"

namespace convoy {

struct TarMember {
  std::string name;
  std::string link;     // of a hard or symbolic link: what it points at
  char type = '0';      // '0' file, '1' hard link, '2' symbolic link, '5' folder, others as in POSIX
  uint64_t header = 0;  // byte of the outer file where its (last) header begins
  uint64_t offset = 0;  // byte of the outer file where its content begins
  uint64_t size = 0;    // bytes of content
  bool is_file() const { return type == '0'; }
};

// Members of the archive in bytes [begin, end) of `file`; `what` names it in messages.
std::vector<TarMember> list_tar(const File& file, uint64_t begin, uint64_t end, const std::string& what);
inline std::vector<TarMember> list_tar(const File& file) {
  return list_tar(file, 0, file.size(), file.path().string());
}

}  // namespace convoy
