// Text for HTML and SVG, inside elements and inside quoted attributes alike. Whatever comes in, well-formed UTF-8 without
// markup comes out: < > & " ' become entities; bytes that are no UTF-8, control characters but tab and newline, and marks
// that turn the direction of writing become U+FFFD, so that no file's text can pass for another.
#pragma once

#include <string>
#include <string_view>

namespace convoy {

std::string escape_markup(std::string_view text);

}  // namespace convoy
