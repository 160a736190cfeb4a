#include "train/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/markup.h"
#include "base/scale.h"

namespace convoy {
namespace {

constexpr double west = 64, east = 836, north = 56, south = 380;  // of the plot, in a drawing of 900 x 440

double x_at(const Scale& scale, double value) { return west + (east - west) * scale.share(value); }
double y_at(const Scale& scale, double value) { return south - (south - north) * scale.share(value); }

std::vector<PlotPoint> finite(const PlotLine& line) {
  std::vector<PlotPoint> points;
  for (const PlotPoint& p : line.points)
    if (std::isfinite(p.x) && std::isfinite(p.y)) points.push_back(p);
  return points;
}

Scale scale_of(const PlotAxis& axis) {
  double high = axis.high;
  if (high == 0)
    for (const PlotLine& line : axis.lines)
      for (const PlotPoint& p : finite(line)) high = std::max(high, p.y);
  return round_scale(0, high);
}

std::string ticks(const PlotAxis& axis, const Scale& scale, const char* side) {
  std::string svg;
  const bool at_left = side[0] == 'l';
  for (const double value : scale.ticks()) {
    const double y = y_at(scale, value);
    if (at_left)
      svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", west,
                         east, y, y);
    svg += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"{}\">{:.4g}{}</text>\n", side,
                       at_left ? west - 8 : east + 8, y + 4, at_left ? "end" : "start", value, axis.unit);
  }
  return svg;
}

std::string lines_of(const PlotAxis& axis, const Scale& x, const Scale& y, const char* side) {
  std::string svg;
  for (const PlotLine& line : axis.lines) {
    std::string points;
    for (const PlotPoint& p : finite(line))
      points += fmt::format("{:.1f},{:.1f} ", x_at(x, p.x), y_at(y, std::clamp(p.y, 0.0, y.high)));
    svg += fmt::format("<polyline class=\"{}\"{} points=\"{}\"/>\n", side,
                       line.dashed ? " stroke-dasharray=\"5 4\"" : "", points);
    if (!line.dots) continue;
    for (const PlotPoint& p : finite(line))
      svg += fmt::format(
          "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{:.4g}: {:.4g}{}</title></circle>\n",
          side, x_at(x, p.x), y_at(y, p.y), p.x, p.y, axis.unit);
  }
  return svg;
}

constexpr const char* head = R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 440" role="img">
<style>
svg { background: #ffffff; font: 13px system-ui, sans-serif; }
text { fill: #52514e; } .title { fill: #0b0b0b; font-size: 16px; font-weight: 600; }
.grid { stroke: #e1e0d9; } polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
polyline.left { stroke: #2a78d6; } text.left, circle.left { fill: #2a78d6; }
polyline.right { stroke: #c4570b; } text.right, circle.right { fill: #c4570b; }
@media (prefers-color-scheme: dark) {
svg { background: #1a1a19; } text { fill: #c3c2b7; } .title { fill: #ffffff; } .grid { stroke: #33332f; }
polyline.left { stroke: #5a9ee6; } text.left, circle.left { fill: #5a9ee6; }
polyline.right { stroke: #ee8a45; } text.right, circle.right { fill: #ee8a45; }
}
</style>
)";

}  // namespace

std::string Plot::svg() const {
  double last = 0;
  for (const PlotAxis* axis : {&left, &right})
    for (const PlotLine& line : axis->lines)
      for (const PlotPoint& p : finite(line)) last = std::max(last, p.x);
  Scale x = round_scale(0, last);
  if (last > 0) x.high = last;
  const Scale y_left = scale_of(left), y_right = scale_of(right);
  std::string svg = head;
  svg += fmt::format("<text class=\"title\" x=\"{}\" y=\"26\">{}</text>\n", west, escape_markup(title));
  svg += fmt::format("<text class=\"left\" x=\"{}\" y=\"46\">{}</text>\n", west, escape_markup(left.label));
  svg += fmt::format("<text class=\"right\" x=\"{}\" y=\"46\" text-anchor=\"end\">{}</text>\n", east,
                     escape_markup(right.label));
  svg += ticks(left, y_left, "left");
  if (!right.lines.empty()) svg += ticks(right, y_right, "right");
  for (const double value : x.ticks())
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.4g}</text>\n",
                       x_at(x, value), south + 20, value);
  svg += lines_of(left, x, y_left, "left") + lines_of(right, x, y_right, "right");
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n</svg>\n", (west + east) / 2,
                     south + 44, escape_markup(x_label));
  return svg;
}

}  // namespace convoy
