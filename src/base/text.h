// Small text helpers shared by every layer: suggestions for misspelt words, lines, and numbers for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace convoy {

// The candidate nearest to `word` by Damerau-Levenshtein distance, or "" when none is near enough to be a likely typo.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

std::vector<std::string> lines_of(const std::string& text);  // without their ends

// Of what others wrote: without control characters (a file must not steer a terminal), of so many bytes at most.
std::string printable(std::string text, size_t longest = 200);
// Lists and objects within one another, as JSON: what parses and prints them recurses.
bool nested_deeper(std::string_view json, int levels);

std::string human_bytes(uint64_t bytes);    // "97.5 MiB"
std::string human_seconds(double seconds);  // "1 h 02 min", "3 min 20 s", "12.3 s"
std::string human_count(double count);      // "25.6 M", "4.09 G"

}  // namespace convoy
