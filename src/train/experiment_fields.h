// The one list of an Experiment's keys: parsing, printing and hashing all walk it, so that no key can be read without being
// printed and hashed. A field that the chosen network, optimizer or schedule does not read says so in `unread`.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "train/experiment.h"

namespace convoy {

using Slot = std::variant<std::string*, std::filesystem::path*, bool*, int*, int64_t*, uint64_t*, double*,
                          std::vector<double>*, std::array<double, 3>*>;

struct Range {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;
  bool holds(double value) const;
  std::string text() const;  // "above 0 and at most 1"
};

struct Field {
  std::string section, key;
  Slot slot;
  Range range{};                       // of numbers, each element of a list
  std::vector<std::string> choices{};  // of strings; empty: any
  std::string unread{};                // "" or the choice that would read it: `optimizer.kind = "lars"`
  bool arithmetic = true;              // the bits depend on it
  bool selects = false;                // other defaults depend on it
  std::string absent{};                // as TOML: what jobs older than the key mean; left out of the arithmetic
  std::string name() const { return section + "." + key; }
};

// In the order of the struct's members. Called twice by the parser: `unread` follows the values met on the way.
void visit_fields(Experiment& experiment, const std::function<void(const Field&)>& visit);

// Defaults that follow from the fields that select, set before the other fields are read.
void defaults_of_choices(Experiment& experiment);

// What no single field can say: one of epochs and steps, min_area <= max_area, ... Returns "" or a sentence.
std::string misfit(const Experiment& experiment);

std::string toml_value(const Slot& slot);
std::string toml_string(const std::string& text);

}  // namespace convoy
