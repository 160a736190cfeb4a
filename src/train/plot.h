// A line chart as one self-contained SVG that follows the viewer's light or dark scheme: x below, one y axis on each side,
// each in its own colour, round ticks. Points that are not finite are left out.
#pragma once

#include <string>
#include <vector>

namespace convoy {

struct PlotPoint {
  double x = 0, y = 0;
};

struct PlotLine {
  std::vector<PlotPoint> points{};
  bool dashed = false;
  bool dots = false;  // one at each point, which tells its values when pointed at
};

struct PlotAxis {
  std::string label{}, unit{};  // unit: after each tick
  std::vector<PlotLine> lines{};
  double high = 0;  // 0: from the points; the low end is 0
};

struct Plot {
  std::string title{}, x_label{};
  PlotAxis left{}, right{};
  std::string svg() const;
};

}  // namespace convoy
