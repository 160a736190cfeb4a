#include "base/temporary_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <system_error>

#include "base/error.h"

namespace convoy {

TemporaryFolder::TemporaryFolder(const std::string& name) {
  std::string path = (std::filesystem::temp_directory_path() / (name + "-XXXXXX")).string();
  if (::mkdtemp(path.data()) == nullptr) fail_errno(errno, "cannot create " + path);
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace convoy
