// May text for this stream be coloured? Only on a terminal, and there not under a NO_COLOR that is not empty
// (no-color.org) nor on TERM=dumb. What is coloured says the same without colour.
#pragma once

#include <cstdio>
#include <string_view>

namespace convoy {

bool coloured(std::FILE* out);

// "convoy: sentence" on standard error: how every error is told, once.
void print_error(std::string_view sentence);

}  // namespace convoy
