// A set of files read by many threads with pread, opened when first needed, at most `limit` open at a time, of which
// the one opened first goes first: a dataset may have more shards than a process may have descriptors. Handles are
// shared, so a file closed here lives on until its last reader is done.
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/file.h"

namespace convoy {

class FileCache {
 public:
  explicit FileCache(std::vector<std::filesystem::path> paths, size_t limit = 256)
      : paths_(std::move(paths)), open_(paths_.size()), limit_(limit) {}

  std::shared_ptr<const File> get(size_t index) {
    const std::lock_guard lock(mutex_);
    if (!open_[index]) {
      if (oldest_.size() >= limit_) {
        open_[oldest_.front()].reset();
        oldest_.pop_front();
      }
      open_[index] = std::make_shared<const File>(paths_[index], File::Mode::read);
      oldest_.push_back(index);
    }
    return open_[index];
  }
  const std::filesystem::path& path(size_t index) const { return paths_[index]; }
  size_t size() const { return paths_.size(); }

 private:
  std::vector<std::filesystem::path> paths_;
  std::vector<std::shared_ptr<const File>> open_;
  std::deque<size_t> oldest_;
  size_t limit_;
  std::mutex mutex_;
};

}  // namespace convoy
