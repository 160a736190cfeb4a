// Holds a run's folder against a second process: an flock on FOLDER/.lock, gone with the process however it ends.
// The file names the host and process that hold it, for the sentence that refuses another. On a file system that
// knows no flock the run goes on without. Only rank 0 holds it.
#pragma once

#include <filesystem>

namespace convoy {

class RunLock {
 public:
  // Exit::temporary if another process holds it, naming the folder and its host.
  explicit RunLock(const std::filesystem::path& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace convoy
