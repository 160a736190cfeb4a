#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/markup.h"
#include "report/chart.h"
#include "report/chart_frame.h"

namespace convoy::report {
namespace {

constexpr double row_height = 68, bars_height = 34;
constexpr size_t bins = 48;

double quantile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5)];
}

std::string histogram(const Frame& frame, const Spread& row, double bottom) {
  std::array<size_t, bins> counts{};
  for (const double value : row.values)
    if (const double share = frame.x.share(value); share >= 0 && share < 1)
      ++counts[static_cast<size_t>(share * bins)];
  const size_t most = std::ranges::max(counts);
  const double width = (frame.east - frame.west) / bins;
  std::string svg;
  for (size_t i = 0; i < bins && most > 0; ++i) {
    if (counts[i] == 0) continue;
    const double height = bars_height * static_cast<double>(counts[i]) / static_cast<double>(most);
    svg += fmt::format("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
                       style_of(row.side), frame.west + static_cast<double>(i) * width, bottom - height,
                       width - 0.6, height);
  }
  return svg;
}

// |--|--|: the median within its interval.
std::string median_mark(const Frame& frame, const Spread& row, double y) {
  std::string svg;
  if (row.interval)
    svg = fmt::format("<path class=\"interval\" d=\"M{0:.1f},{2:.1f}v6m0,-3H{1:.1f}m0,-3v6\"/>\n",
                      frame.x_at(row.interval->low), frame.x_at(row.interval->high), y - 3);
  return svg +
         fmt::format("<line class=\"median\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>\n",
                     frame.x_at(row.median), y - 5, y + 5);
}

}  // namespace

std::string svg(const SpreadChart& chart) {
  std::vector<Spread> rows;
  double low = 0, high = 0;
  for (Spread row : chart.rows) {
    std::erase_if(row.values, [](double value) { return !std::isfinite(value); });
    if (row.values.empty() || !std::isfinite(row.median)) continue;
    std::ranges::sort(row.values);
    // Some may lie outside: a few slow steps shall not press all others together.
    const double from = std::min(quantile(row.values, 0.01), row.median), to = quantile(row.values, 0.98);
    low = rows.empty() ? from : std::min(low, from);
    high = std::max({high, to, row.median});
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return "";
  Frame frame{.west = 20, .south = 6 + row_height * static_cast<double>(rows.size())};
  frame.height = frame.south + 46;
  frame.x = round_scale(low, high);
  std::string text = begin_svg(frame, chart.title);
  for (const double value : frame.x.ticks())
    text += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>\n",
                        frame.x_at(value), frame.north, frame.south);
  for (size_t i = 0; i < rows.size(); ++i) {
    const double top = 6 + row_height * static_cast<double>(i), bottom = top + row_height - 12;
    text += fmt::format("<text class=\"letter {}\" x=\"{}\" y=\"{:.1f}\">{}</text>\n", style_of(rows[i].side),
                        frame.west, top + 10, escape_markup(rows[i].label));
    text += histogram(frame, rows[i], bottom) + median_mark(frame, rows[i], bottom + 6);
  }
  return text + x_axis(frame, chart.x_label, false) + "</svg>\n";
}

}  // namespace convoy::report
