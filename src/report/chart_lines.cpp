#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/markup.h"
#include "report/chart.h"
#include "report/chart_frame.h"

namespace convoy::report {
namespace {

constexpr double letter_room = 13;  // between two letters at the ends of lines

std::vector<Point> finite(const std::vector<Point>& points) {
  std::vector<Point> kept;
  for (const Point& point : points)
    if (std::isfinite(point.images) && std::isfinite(point.value)) kept.push_back(point);
  return kept;
}

// One letter where each line ends, moved apart where lines end together.
std::string letters(const Frame& frame, const std::vector<Series>& series) {
  struct Letter {
    double x, y;
    const Series* of;
  };
  std::vector<Letter> all;
  for (const Series& one : series)
    if (!one.letter.empty())
      all.push_back({frame.x_at(one.points.back().images), frame.y_at(one.points.back().value), &one});
  std::ranges::sort(all, {}, &Letter::y);
  for (size_t i = 1; i < all.size(); ++i)
    if (std::abs(all[i].x - all[i - 1].x) < letter_room)
      all[i].y = std::max(all[i].y, all[i - 1].y + letter_room);
  std::string svg;
  for (const Letter& letter : all)
    svg +=
        fmt::format("<text class=\"letter {}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                    style_of(letter.of->side), letter.x + 5, letter.y + 4, escape_markup(letter.of->letter));
  return svg;
}

}  // namespace

std::string svg(const LineChart& chart) {
  std::vector<Series> series;
  constexpr double none = std::numeric_limits<double>::infinity();
  double right = 0, low = none, high = -none;
  for (const Series& one : chart.series) {
    Series kept{one.side, one.letter, finite(one.points)};
    if (kept.points.empty()) continue;
    for (const Point& point : kept.points) {
      right = std::max(right, point.images);
      low = std::min(low, point.value);
      high = std::max(high, point.value);
    }
    series.push_back(std::move(kept));
  }
  if (series.empty()) return "";
  Frame frame{.east = 428};
  frame.x = round_scale(0, right);
  if (right > 0) frame.x.high = right;
  frame.y = round_scale(low >= 0 && low < 0.4 * high ? 0 : low, high);  // from 0 where that costs little
  frame.west = west_of(frame.y);
  std::string text = begin_svg(frame, chart.title) + y_axis(frame, chart.y_label) +
                     x_axis(frame, chart.x_label, right >= 10000);
  for (const Series& one : series) {
    std::string points;
    for (const Point& point : one.points)
      points += fmt::format("{:.1f},{:.1f} ", frame.x_at(point.images), frame.y_at(point.value));
    text += fmt::format("<polyline class=\"{}\" points=\"{}\"/>\n", style_of(one.side), points);
    if (chart.dots || one.points.size() == 1)
      for (const Point& point : one.points)
        text += fmt::format(
            "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>{} at {:.4g}: {:.4g}{}"
            "</title></circle>\n",
            style_of(one.side), frame.x_at(point.images), frame.y_at(point.value), escape_markup(one.letter),
            point.images, point.value, chart.unit);
  }
  return text + letters(frame, series) + "</svg>\n";
}

}  // namespace convoy::report
