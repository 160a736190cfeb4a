// Charts for the page of `convoy compare`: SVG elements without a style of their own (html_style.h has it, light and dark),
// drawn into 460 x 280 units with axes, units and a <title> that says what there is to see. A series is of one side, whose
// colour, dashes and letter it has. Points that are not finite are left out; a chart without any is "".
#pragma once

#include <string>
#include <vector>

#include "base/scale.h"
#include "report/comparison.h"

namespace convoy::report {

struct Series {
  size_t side = 0;
  std::string letter{};         // at its end
  std::vector<Point> points{};  // x in Point::images, whatever the axis is
};

struct LineChart {
  std::string title{}, x_label{}, y_label{};
  std::string unit{};  // of the dots' values
  bool dots = false;   // one a point, which tells its values when pointed at
  std::vector<Series> series{};
};
std::string svg(const LineChart& chart);

// One row a run: how its steps' times are distributed, their median, and the interval that it lies in.
struct Spread {
  size_t side = 0;
  std::string label{};
  std::vector<double> values{};
  double median = 0;
  std::optional<Interval> interval{};
};
struct SpreadChart {
  std::string title{}, x_label{};
  std::vector<Spread> rows{};
};
std::string svg(const SpreadChart& chart);

// One bar a side, of parts that add up.
struct Bar {
  size_t side = 0;
  std::string label{};
  std::vector<double> parts{};
};
struct BarChart {
  std::string title{}, x_label{};
  std::vector<std::string> parts{};  // their names
  std::vector<Bar> bars{};
};
std::string svg(const BarChart& chart);

}  // namespace convoy::report
