// A RunState for people: a block of lines for a terminal, or one line for a log. Pure functions; `colour` adds ANSI colours
// and changes no word; lines are cut at `columns`, 0: never.
#pragma once

#include <string>
#include <vector>

#include "observe/run_view.h"

namespace convoy {

std::vector<std::string> watch_block(const RunState& state, bool colour, int columns);
std::string watch_line(const RunState& state);

}  // namespace convoy
