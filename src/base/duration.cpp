#include "base/duration.h"

#include <fmt/format.h>

#include <regex>

#include "base/error.h"

namespace convoy {

std::chrono::seconds parse_duration(const std::string& text) {
  static const std::regex form("(?:(\\d{1,4})-)?(?:(?:(\\d{1,4}):)?(\\d{1,4}):)?(\\d{1,9})");
  std::smatch found;
  require(std::regex_match(text, found, form), Exit::usage,
          "a time limit of \"{}\": write seconds, MM:SS, HH:MM:SS or D-HH:MM:SS", text);
  const auto part = [&](size_t group) { return found[group].matched ? std::stoll(found[group]) : 0; };
  return std::chrono::seconds(((part(1) * 24 + part(2)) * 60 + part(3)) * 60 + part(4));
}

std::string print_duration(std::chrono::seconds duration) {
  const auto seconds = duration.count();
  return fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace convoy
