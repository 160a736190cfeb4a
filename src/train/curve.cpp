#include "train/curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace convoy {
namespace {

using Point = Curve::Point;
using Line = std::vector<Point>;

constexpr double left = 64, right = 836, top = 56, bottom = 380;  // of the plot, in a drawing of 900 x 440

struct Axis {
  double low = 0, high = 1, step = 1;
  double share(double value) const { return (value - low) / (high - low); }
};

// Round ticks, at most about six.
Axis axis_for(double low, double high) {
  if (!(high > low)) high = low + 1;
  const double raw = (high - low) / 5, power = std::pow(10.0, std::floor(std::log10(raw))),
               digit = raw / power;
  const double step = power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
  return {std::floor(low / step) * step, std::ceil(high / step - 1e-9) * step, step};
}

double x_at(const Axis& axis, double value) { return left + (right - left) * axis.share(value); }
double y_at(const Axis& axis, double value) { return bottom - (bottom - top) * axis.share(value); }

std::string escape(const std::string& text) {
  std::string safe;
  for (const char c : text)
    safe += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return safe;
}

std::string polyline(const Line& line, const Axis& x, const Axis& y, const char* style) {
  std::string points;
  for (const Point& p : line)
    points += fmt::format("{:.1f},{:.1f} ", x_at(x, p.x), y_at(y, std::clamp(p.y, y.low, y.high)));
  return fmt::format("<polyline class=\"{}\" points=\"{}\"/>\n", style, points);
}

// Averaged in at most 400 groups: a long run's noise does not become a black band.
Line smooth(const Line& steps) {
  const size_t group = (steps.size() + 399) / 400;
  Line line;
  for (size_t i = 0; i < steps.size(); i += group) {
    const size_t end = std::min(steps.size(), i + group);
    double sum = 0;
    for (size_t j = i; j < end; ++j) sum += steps[j].y;
    line.push_back({steps[end - 1].x, sum / static_cast<double>(end - i)});
  }
  return line;
}

std::string grid(const Axis& x, const Axis& loss, const Axis& top1) {
  std::string svg;
  const int rows = static_cast<int>(std::lround((loss.high - loss.low) / loss.step));
  for (int row = 0; row <= rows; ++row) {
    const double value = loss.low + row * loss.step, at = y_at(loss, value);
    svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", left,
                       right, at, at);
    svg += fmt::format("<text class=\"loss\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.4g}</text>\n",
                       left - 8, at + 4, value);
  }
  for (double value = top1.low; value <= top1.high + 1e-9; value += top1.step)
    svg += fmt::format("<text class=\"top1\" x=\"{}\" y=\"{:.1f}\">{:.4g} %</text>\n", right + 8,
                       y_at(top1, value) + 4, value);
  for (double value = x.low; value <= x.high + 1e-9; value += x.step)
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.4g}</text>\n",
                       x_at(x, value), bottom + 20, value);
  return svg;
}

constexpr const char* head = R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 440" role="img">
<style>
svg { background: #ffffff; font: 13px system-ui, sans-serif; }
text { fill: #52514e; } .title { fill: #0b0b0b; font-size: 16px; font-weight: 600; }
.grid { stroke: #e1e0d9; } polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
polyline.loss { stroke: #2a78d6; } text.loss { fill: #2a78d6; }
polyline.top1 { stroke: #c4570b; } text.top1, circle.top1 { fill: #c4570b; }
@media (prefers-color-scheme: dark) {
svg { background: #1a1a19; } text { fill: #c3c2b7; } .title { fill: #ffffff; } .grid { stroke: #33332f; }
polyline.loss { stroke: #5a9ee6; } text.loss { fill: #5a9ee6; }
polyline.top1 { stroke: #ee8a45; } text.top1, circle.top1 { fill: #ee8a45; }
}
</style>
)";

}  // namespace

Curve::Curve(std::string title, int64_t images_per_epoch)
    : title_(std::move(title)), images_per_epoch_(static_cast<double>(images_per_epoch)) {}

void Curve::add(const Json& line) {
  if (line.at("event") == "step" && line.at("loss").is_number()) {
    const double images = (line.at("step").get<double>() + 1) * line.at("images").get<double>();
    loss_.push_back({images / images_per_epoch_, line.at("loss")});
  }
  if (line.at("event") == "evaluation" && line.at("held_out_top1").is_number())
    top1_.push_back({line.at("epoch"), 100.0 * line.at("held_out_top1").get<double>()});
}

std::string Curve::svg() const {
  const Line loss = smooth(loss_);
  const Line& top1 = top1_;
  double last_epoch = 0, highest_loss = 0, best = 0;
  for (const Point& p : loss)
    last_epoch = std::max(last_epoch, p.x), highest_loss = std::max(highest_loss, p.y);
  for (const Point& p : top1) last_epoch = std::max(last_epoch, p.x), best = std::max(best, p.y);
  Axis x = axis_for(0, last_epoch);
  x.high = std::max(last_epoch, x.step * 0.01);
  const Axis y_loss = axis_for(0, highest_loss), y_top1{0, 100, 20};

  std::string svg = head;
  svg += fmt::format("<text class=\"title\" x=\"{}\" y=\"26\">{}</text>\n", left, escape(title_));
  svg += fmt::format("<text class=\"loss\" x=\"{}\" y=\"46\">training loss (nats)</text>\n", left);
  svg += fmt::format("<text class=\"top1\" x=\"{}\" y=\"46\" text-anchor=\"end\">held-out top-1{}</text>\n",
                     right,
                     top1.empty() ? "" : fmt::format(", best {:.2f} %, last {:.2f} %", best, top1.back().y));
  svg += grid(x, y_loss, y_top1);
  svg += polyline(loss, x, y_loss, "loss") + polyline(top1, x, y_top1, "top1");
  for (const Point& p : top1)
    svg += fmt::format(
        "<circle class=\"top1\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"><title>epoch {:.4g}: {:.2f} "
        "%</title></circle>\n",
        x_at(x, p.x), y_at(y_top1, p.y), p.x, p.y);
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">epochs</text>\n</svg>\n",
                     (left + right) / 2, bottom + 44);
  return svg;
}

}  // namespace convoy
