#include "base/colour.h"

#include <fmt/color.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace convoy {

bool coloured(std::FILE* out) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value == nullptr ? "" : value);
  };
  return ::isatty(::fileno(out)) == 1 && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

void print_error(std::string_view sentence) {
  const auto style =
      coloured(stderr) ? fmt::emphasis::bold | fg(fmt::terminal_color::red) : fmt::text_style();
  fmt::print(stderr, "{} {}\n", fmt::format(style, "convoy:"), sentence);
}

}  // namespace convoy
