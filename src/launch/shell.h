// Words and lines of a bash script.
#pragma once

#include <string>
#include <vector>

namespace convoy {

// As bash reads it back: 'it'\''s', or as it is where nothing in it means anything to a shell.
std::string quoted(const std::string& word);

// Whether it can stand in a scheduler's directive, where each has quoting rules of its own.
bool plain(const std::string& text);

// One command of these pieces (each stays on its line), folded with backslashes; no newline at the end.
std::string folded(const std::vector<std::string>& pieces);

std::string comment(
    const std::string& text);  // "# " before every line, folded at spaces, with a newline at the end

}  // namespace convoy
