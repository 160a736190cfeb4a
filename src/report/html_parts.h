// The parts of the page (report/html.h), each a piece of HTML; "" where there is nothing to show.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "report/comparison.h"

namespace convoy::report {

// A table that scrolls sideways where it is too wide for the window. Cells and heads are HTML.
struct Table {
  std::string caption{};
  std::vector<std::string> head{};
  std::vector<std::vector<std::string>> rows{};  // the first cell is the row's head
  std::string html() const;
};

std::string section(const std::string& title, const std::string& content);  // "" without content
std::string swatch(size_t side, const std::string& label);                  // a side's letter in its colour

std::string verdict_banner(const Comparison& comparison);
std::string sides_table(const Comparison& comparison);
std::string quantities_table(const Comparison& comparison);
std::string rules_table(const Comparison& comparison);
std::string references_table(const Comparison& comparison);
std::string numerics_list(const Comparison& comparison);
std::string curves_table(const Comparison& comparison);
std::string differences_tables(const Comparison& comparison);

// <figure>s with captions.
std::string loss_figure(const Comparison& comparison);
std::string accuracy_figure(const Comparison& comparison);
std::string step_time_figure(const Comparison& comparison);
std::string step_parts_figure(const Comparison& comparison);

extern const char* const page_style;  // CSS

}  // namespace convoy::report
