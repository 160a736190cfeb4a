// The program's voice: lines on standard error through spdlog, "[hh:mm:ss] text" from rank 0 and
// "[hh:mm:ss] rank 3 @host: text" from others. Standard output is for results (tables, JSON) alone.
// The logger is a value handed down, not a global; a default-constructed Log is silent.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

namespace spdlog {
class logger;
}

namespace convoy {

class Log {
 public:
  enum class Level { quiet, normal, verbose };
  Log() = default;
  // rank 0 speaks at `level`; other ranks only warn. `file`, if not empty, receives the same lines as well.
  Log(Level level, int rank, const std::string& host, const std::string& file = "");

  template <class... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) const {
    write(2, fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void detail(fmt::format_string<Args...> text, Args&&... args) const {
    write(1, fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void warn(fmt::format_string<Args...> text, Args&&... args) const {
    write(3, fmt::format(text, std::forward<Args>(args)...));
  }

  // For the file alone: what standard error is told by others (an error that ends the program).
  void file_only(const std::string& line) const;

 private:
  void write(int severity, const std::string& line) const;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace convoy
