#include "observe/appender.h"

#include <exception>

namespace convoy {
namespace {
constexpr size_t most = 1 << 20;
}

Appender::Appender(const std::filesystem::path& path, File::Mode mode, double every_seconds)
    : file_(path, mode), every_(every_seconds), end_(file_.size()) {}

Appender::~Appender() {
  try {
    flush();
  } catch (const std::exception&) {
    // Told when it was tried before; a file that only watches is not worth more.
  }
}

void Appender::append(std::string_view piece) {
  if (waiting_.size() + piece.size() <= most) waiting_ += piece;
  if (std::chrono::duration<double>(std::chrono::steady_clock::now() - last_).count() >= every_) flush();
}

void Appender::flush() {
  last_ = std::chrono::steady_clock::now();
  if (waiting_.empty()) return;
  file_.write_at(end_, waiting_.data(), waiting_.size());
  end_ += waiting_.size();
  waiting_.clear();
}

}  // namespace convoy
