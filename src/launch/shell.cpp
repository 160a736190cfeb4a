#include "launch/shell.h"

#include <sstream>

#include "base/text.h"

namespace convoy {
namespace {

constexpr size_t columns = 110;
constexpr const char* safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,@%+-";

}  // namespace

bool plain(const std::string& text) {
  return !text.empty() && text.find_first_not_of(safe) == std::string::npos;
}

std::string quoted(const std::string& word) {
  if (plain(word)) return word;
  std::string text = "'";
  for (const char letter : word) text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return text + "'";
}

std::string folded(const std::vector<std::string>& pieces) {
  std::string text;
  size_t line = 0;
  for (const std::string& piece : pieces) {
    const bool first = text.empty();
    if (!first && line + 1 + piece.size() > columns - 2) {
      text += " \\\n   ";
      line = 3;
    }
    text += (first ? "" : " ") + piece;
    line += piece.size() + (first ? 0 : 1);
  }
  return text;
}

std::string comment(const std::string& text) {
  std::string out;
  for (const std::string& paragraph : lines_of(text)) {
    std::istringstream words(paragraph);
    out += '#';
    size_t line = 1;
    for (std::string word; words >> word; line += 1 + word.size()) {
      if (line > 1 && line + 1 + word.size() > columns) {
        out += "\n#";
        line = 1;
      }
      out += ' ';
      out += word;
    }
    out += '\n';
  }
  return out;
}

}  // namespace convoy
