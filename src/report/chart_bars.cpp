#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/markup.h"
#include "report/chart.h"
#include "report/chart_frame.h"

namespace convoy::report {
namespace {

constexpr double row_height = 46, bar_height = 20;

}  // namespace

std::string svg(const BarChart& chart) {
  double high = 0;
  for (const Bar& bar : chart.bars)
    high = std::max(high, std::accumulate(bar.parts.begin(), bar.parts.end(), 0.0));
  if (!(high > 0) || !std::isfinite(high)) return "";
  Frame frame{.west = 20, .south = 6 + row_height * static_cast<double>(chart.bars.size())};
  frame.height = frame.south + 46;
  frame.x = round_scale(0, high);
  std::string text = begin_svg(frame, chart.title);
  for (size_t i = 0; i < chart.bars.size(); ++i) {
    const Bar& bar = chart.bars[i];
    const double top = 6 + row_height * static_cast<double>(i);
    text += fmt::format("<text class=\"letter {}\" x=\"{}\" y=\"{:.1f}\">{}</text>\n", style_of(bar.side),
                        frame.west, top + 11, escape_markup(bar.label));
    double from = 0;
    for (size_t part = 0; part < bar.parts.size(); ++part) {
      const double x = frame.x_at(from), width = frame.x_at(from + bar.parts[part]) - x;
      text += fmt::format(
          "<rect class=\"p{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\"><title>{}: {:.4g}</title></rect>\n",
          part, x, top + 16, std::max(0.0, width), bar_height, escape_markup(chart.parts[part]),
          bar.parts[part]);
      from += bar.parts[part];
    }
  }
  return text + x_axis(frame, chart.x_label, false) + "</svg>\n";
}

}  // namespace convoy::report
