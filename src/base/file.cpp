#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace convoy {
namespace fs = std::filesystem;

File::File(const fs::path& path, Mode mode) : path_(path) {
  const int flags = mode == Mode::read     ? O_RDONLY
                    : mode == Mode::update ? O_RDWR
                                           : O_RDWR | O_CREAT | O_TRUNC;
  descriptor_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_errno(errno, fmt::format("cannot open {}", path.string()));
  struct stat status {};
  if (::fstat(descriptor_, &status) == 0 && S_ISDIR(status.st_mode)) {
    ::close(std::exchange(descriptor_, -1));
    fail("{} is a folder, not a file", path.string());
  }
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

uint64_t File::size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail_errno(errno, fmt::format("cannot stat {}", path_.string()));
  return static_cast<uint64_t>(status.st_size);
}

bool File::removed() const {
  struct stat status {};
  return ::fstat(descriptor_, &status) == 0 && status.st_nlink == 0;
}

void File::read_at(uint64_t offset, void* into, size_t bytes) const {
  auto* to = static_cast<char*>(into);
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(descriptor_, to + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail_errno(errno, fmt::format("cannot read {} bytes at {} of {}", bytes, offset, path_.string()));
    if (got == 0)  // no require(): the path's text would be made for every read
      fail("{} ends at byte {}, but {} bytes at {} were expected: the file is truncated; copy it again",
           path_.string(), offset + done, bytes, offset);
    done += static_cast<size_t>(got);
  }
}

void File::write_at(uint64_t offset, const void* from, size_t bytes) {
  const auto* data = static_cast<const char*>(from);
  for (size_t done = 0; done < bytes;) {
    const ssize_t put = ::pwrite(descriptor_, data + done, bytes - done, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_errno(errno, fmt::format("cannot write {}", path_.string()));
    done += static_cast<size_t>(put);
  }
}

void File::sync() {
  if (::fsync(descriptor_) != 0) fail_errno(errno, fmt::format("cannot sync {}", path_.string()));
}

std::string read_text(const fs::path& path) {
  File file(path, File::Mode::read);
  std::string text(file.size(), '\0');
  file.read_at(0, text.data(), text.size());
  return text;
}

void publish(const fs::path& temporary, const fs::path& target) {
  File(temporary, File::Mode::update).sync();
  if (::rename(temporary.c_str(), target.c_str()) != 0)
    fail_errno(errno, fmt::format("cannot rename {} to {}", temporary.string(), target.string()));
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);  // some file systems refuse this on a folder: the rename itself has happened
  ::close(descriptor);
}

void replace_file(const fs::path& path, std::string_view content) {
  replace_file(path, std::span(&content, 1));
}

void replace_file(const fs::path& path, std::span<const std::string_view> pieces) {
  fs::path temporary = path;
  temporary += fmt::format(".tmp.{}", ::getpid());
  try {
    File file(temporary, File::Mode::create);
    uint64_t at = 0;
    for (const std::string_view piece : pieces) {
      file.write_at(at, piece.data(), piece.size());
      at += piece.size();
    }
    publish(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

}  // namespace convoy
