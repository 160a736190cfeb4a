// The folder that a pack writes to. One pack at a time holds it, by flock on a file of its own, which the system lets go
// when the process ends, however it ends. Nothing that is not a piece of this very pack is removed or written over.
#pragma once

#include <filesystem>
#include <utility>

#include "base/log.h"
#include "data/pack_plan.h"

namespace convoy {

class FolderLock {
 public:
  FolderLock(const std::filesystem::path& folder, const Log& log);  // throws if another process holds it
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

// Refuses a folder that holds more than an earlier run of this pack. Reads only; a folder that is not there yet is fine.
void check_folder(const std::filesystem::path& out, const PackPlan& plan, const Log& log);

// Makes the folder and locks it; refuses one that holds more than an earlier run of this pack, whose temporary pieces are
// removed. For one rank of a job.
FolderLock prepare_folder(const std::filesystem::path& out, const PackPlan& plan, const Log& log);

}  // namespace convoy
