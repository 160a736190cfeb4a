#include "base/markup.h"

#include <cstddef>
#include <cstdint>

namespace convoy {
namespace {

constexpr const char* unknown = "\xEF\xBF\xBD";  // U+FFFD

// Bytes of the character that begins `text`, and which it is; 0 bytes if that is no UTF-8 (Unicode 15, table 3-7).
struct Character {
  size_t bytes;
  uint32_t code;
};

Character first_of(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {0, 0};
  uint32_t code = lead & (0xFFU >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0, 0};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool shortest = code >= (bytes == 4 ? 0x10000U : bytes == 3 ? 0x800U : 0x80U);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return shortest && !surrogate && code <= 0x10FFFF ? Character{bytes, code} : Character{0, 0};
}

bool misleads(uint32_t code) {
  const bool control = (code < 0x20 && code != '\t' && code != '\n') || (code >= 0x7F && code < 0xA0);
  const bool turns = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
  return control || turns || (code & 0xFFFE) == 0xFFFE;  // the last two of each plane are no characters
}

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const auto [bytes, code] = first_of(text);
    if (bytes == 0 || misleads(code))
      safe += unknown;
    else if (code == '<')
      safe += "&lt;";
    else if (code == '>')
      safe += "&gt;";
    else if (code == '&')
      safe += "&amp;";
    else if (code == '"')
      safe += "&quot;";
    else if (code == '\'')
      safe += "&#39;";
    else
      safe += text.substr(0, bytes);
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return safe;
}

}  // namespace convoy
