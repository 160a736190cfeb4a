// Lengths of time as batch systems write them.
#pragma once

#include <chrono>
#include <string>

namespace convoy {

// "90" seconds, "30:00" minutes, "11:30:00" hours, "2-00:00:00" days.
std::chrono::seconds parse_duration(const std::string& text);
std::string print_duration(std::chrono::seconds duration);  // "11:30:00", hours beyond a day too: "48:00:00"

}  // namespace convoy
