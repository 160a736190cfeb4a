#include "observe/line_tail.h"

#include <sys/stat.h>

#include "base/file.h"

namespace convoy {

std::vector<std::string> LineTail::more() {
  struct stat now {};
  restarted_ = false;
  if (::stat(path_.c_str(), &now) != 0) return {};
  const auto size = static_cast<uint64_t>(now.st_size);
  bool torn = false;  // the first line
  if (now.st_ino != inode_ || size < offset_) {
    restarted_ = inode_ != 0;
    inode_ = now.st_ino;
    offset_ = size > first_bytes_ ? size - first_bytes_ : 0;
    torn = offset_ > 0;
  }
  if (size == offset_) return {};
  std::string text(size - offset_, '\0');
  File(path_, File::Mode::read).read_at(offset_, text.data(), text.size());
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    if (!torn) lines.push_back(text.substr(begin, end - begin));
    torn = false;
    begin = end + 1;
  }
  offset_ += begin;
  return lines;
}

}  // namespace convoy
