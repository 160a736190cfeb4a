// Files without surprises: an owned descriptor, positioned reads and writes that finish or throw, and whole-file
// replacement that is atomic (temporary name in the same directory, fsync, rename, fsync of the directory).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace convoy {

class File {
 public:
  enum class Mode { read, create, update };  // create truncates; update opens an existing file for writing
  File(const std::filesystem::path& path, Mode mode);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const;
  bool removed() const;  // deleted since it was opened (local file systems; others fail the read)
  void read_at(uint64_t offset, void* into, size_t bytes) const;  // throws if the file ends before
  void write_at(uint64_t offset, const void* from, size_t bytes);
  void sync();

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

std::string read_text(const std::filesystem::path& path);
void replace_file(const std::filesystem::path& path, std::string_view content);  // atomic
void replace_file(const std::filesystem::path& path,
                  std::span<const std::string_view> pieces);  // behind one another
void publish(const std::filesystem::path& temporary, const std::filesystem::path& target);  // fsync + rename

}  // namespace convoy
