// A Comparison for people and for programs: nothing is computed here but layout. Text ends with a line's end.
#pragma once

#include <string>

#include "report/comparison.h"

namespace convoy::report {

std::string table(const Comparison& comparison);     // for a terminal
std::string markdown(const Comparison& comparison);
std::string csv(const Comparison& comparison);       // RFC 4180, one line a quantity and side
std::string json(const Comparison& comparison);      // all of it but the curves' points

// Pieces that every layout shares.
std::string shown(double value);                                // five digits
std::string shown(const Row& row, const Cell& cell);            // "408.92 [405.1, 411.0]", "0.971 (971 of 1000)", "-"
std::string shown(const Row& row, const Change& change);        // "-37.2 % [-38.1, -36.3] slower, p 2e-16"
std::string launch_words(const Run& run);                       // "2 ranks, onednn, oneDNN 3.2.0, avx2"
std::string curve_words(const CurveDifference& difference);
const char* word(Verdict verdict);

}  // namespace convoy::report
