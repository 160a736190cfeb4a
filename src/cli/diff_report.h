// What `convoy diff` has measured, as a table for people and as JSON (schema convoy.diff/1), and what follows from it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backends/check/compare.h"

namespace convoy::cli {

struct DiffLine {
  std::string what;
  Measured measured;
  double tolerance = 0;
  int64_t elements = 0;
  float a = 0, b = 0;  // of the element that differs most
  bool equal() const { return measured.unequal == 0; }
  bool within() const { return measured.error <= tolerance; }  // false for NaN
};

struct DiffReport {
  enum class Verdict { equal, rounding, differs };
  std::string network;
  int images = 0;
  std::string weights_xxh3, batch_xxh3, a, b;
  std::vector<DiffLine> lines;  // in program order, not empty

  Verdict verdict() const;
  std::string text(bool all) const;
  nlohmann::ordered_json json() const;
};

}  // namespace convoy::cli
