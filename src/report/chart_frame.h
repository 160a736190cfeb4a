// What every chart of the page has: its outline, axes with round ticks and their labels, and marks in a side's colours.
#pragma once

#include <string>

#include "base/scale.h"

namespace convoy::report {

constexpr size_t side_styles = 6;  // colours and dashes that differ; the seventh side looks like the first

struct Frame {
  double west = 56, east = 440, north = 12, south = 230;  // of the plot
  double height = 280;                                    // of the drawing, 460 wide
  Scale x{}, y{};
  double x_at(double value) const { return west + (east - west) * x.share(value); }
  double y_at(double value) const { return south - (south - north) * y.share(value); }
};

std::string begin_svg(const Frame& frame, const std::string& title);
std::string x_axis(const Frame& frame, const std::string& label, bool counts);  // counts: "20 k", "1.5 M"
std::string y_axis(const Frame& frame, const std::string& label);
std::string style_of(size_t side);  // "s0"
std::string tick_text(double value);
double west_of(const Scale& y);  // leaves room for the widest tick and the label

}  // namespace convoy::report
