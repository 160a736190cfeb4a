// Errors: one exception type that carries the sentence for the user and the process exit code.
// A message says what failed, where, and what to do; it is printed once, by src/cli, and nowhere else.
//   require(condition, "...", args)   for what the user or the machine can get wrong;
//   ensure(condition)                 for what only a bug of ours can get wrong (file:line is added).
// Exit codes follow batch systems' habits: README.md, "Exit codes".
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace convoy {

enum class Exit {
  ok = 0,
  failed = 1,       // also: `compare` found a regression of B against A
  diverged = 2,     // also: `compare` refused, as the two are not comparable
  usage = 64,       // wrong flag, unknown key, bad job file
  temporary = 75,   // storage full or unreachable, the run's folder in use: the same command may succeed later
  time_limit = 85,  // stopped by a signal or time limit after a checkpoint: requeue me
};

class Error : public std::runtime_error {
 public:
  explicit Error(std::string message, Exit code = Exit::failed)
      : std::runtime_error(std::move(message)), code_(code) {}
  Exit code() const { return code_; }

 private:
  Exit code_;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::format(text, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void fail(Exit code, fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::format(text, std::forward<Args>(args)...), code);
}

template <class... Args>
void require(bool condition, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) throw Error(fmt::format(text, std::forward<Args>(args)...));
}

template <class... Args>
void require(bool condition, Exit code, fmt::format_string<Args...> text, Args&&... args) {
  if (!condition) throw Error(fmt::format(text, std::forward<Args>(args)...), code);
}

// The compilers' builtins: Clang 14 on Debian 12's libstdc++ has no std::source_location.
inline void ensure(bool condition, const char* file = __builtin_FILE(), int line = __builtin_LINE(),
                   const char* function = __builtin_FUNCTION()) {
  if (!condition)
    throw Error(fmt::format("internal error at {}:{} ({}): please report it with the command you ran", file,
                            line, function));
}

// "cannot open X: No such file or directory" for a failed system call; temporary for ENOSPC, EDQUOT, EIO, ESTALE.
[[noreturn]] void fail_errno(int error_number, const std::string& what);

}  // namespace convoy
