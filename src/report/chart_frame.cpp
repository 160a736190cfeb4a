#include "report/chart_frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/markup.h"
#include "base/text.h"

namespace convoy::report {

std::string style_of(size_t side) { return fmt::format("s{}", side % side_styles); }

std::string tick_text(double value) { return fmt::format("{:.4g}", value); }

double west_of(const Scale& y) {
  size_t characters = 4;
  for (const double value : y.ticks()) characters = std::max(characters, tick_text(value).size());
  return 28 + 7 * static_cast<double>(characters);
}

std::string begin_svg(const Frame& frame, const std::string& title) {
  return fmt::format("<svg viewBox=\"0 0 460 {:.0f}\" role=\"img\"><title>{}</title>\n", frame.height,
                     escape_markup(title));
}

std::string x_axis(const Frame& frame, const std::string& label, bool counts) {
  std::string svg;
  for (const double value : frame.x.ticks()) {
    const double x = frame.x_at(value);
    svg += fmt::format(
        "<line class=\"tick\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>"
        "<text x=\"{0:.1f}\" y=\"{3:.1f}\" text-anchor=\"middle\">{4}</text>\n",
        x, frame.south, frame.south + 4, frame.south + 18, counts ? human_count(value) : tick_text(value));
  }
  return svg + fmt::format(
                   "<line class=\"axis\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>"
                   "<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                   frame.west, frame.east, frame.south, frame.south, (frame.west + frame.east) / 2,
                   frame.south + 38, escape_markup(label));
}

std::string y_axis(const Frame& frame, const std::string& label) {
  std::string svg;
  for (const double value : frame.y.ticks()) {
    const double y = frame.y_at(value);
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
        frame.west, frame.east, y, y, frame.west - 6, y + 4, tick_text(value));
  }
  return svg + fmt::format(
                   "<text class=\"label\" x=\"13\" y=\"{0:.1f}\" text-anchor=\"middle\" "
                   "transform=\"rotate(-90 13 {0:.1f})\">{1}</text>\n",
                   (frame.north + frame.south) / 2, escape_markup(label));
}

}  // namespace convoy::report
