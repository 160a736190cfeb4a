// A file that grows: bytes are collected and written at most every few seconds, so that a step pays for a copy in memory.
// A write that fails (a full disk) leaves the end where it was: the next one goes over the torn bytes, with what has been
// collected since, up to 1 MiB; more is dropped whole. What is written is what was appended, in whole pieces.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"

namespace convoy {

class Appender {
 public:
  Appender(const std::filesystem::path& path, File::Mode mode, double every_seconds);
  ~Appender();  // writes what is left, if it can
  void append(std::string_view piece);
  void flush();

 private:
  File file_;
  double every_;
  uint64_t end_;
  std::string waiting_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace convoy
