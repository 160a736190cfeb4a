// A new, empty folder where the system keeps temporary files, gone with its owner.
#pragma once

#include <filesystem>
#include <string>

namespace convoy {

class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name);  // begins with it, to tell whose it is
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace convoy
