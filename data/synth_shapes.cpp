#include "data/synth_shapes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace convoy {
namespace {

using std::abs, std::hypot, std::max, std::min;

double disc(double x, double y, double radius) { return hypot(x, y) - radius; }

double box(double x, double y, double half_width, double half_height) {
  return max(abs(x) - half_width, abs(y) - half_height);
}

// A regular polygon of `sides` whose corners are at `radius`: the largest of the distances to its edges' lines.
double polygon(double x, double y, int sides, double radius) {
  const double wedge = 2 * std::numbers::pi / sides;
  const double angle = std::atan2(y, x), length = hypot(x, y);
  const double from_middle = angle - wedge * std::floor(angle / wedge) - wedge / 2;
  return length * std::cos(from_middle) - radius * std::cos(wedge / 2);
}

// A star: within one half point, the edge runs from the tip at `radius` to the notch at `inner`.
double star(double x, double y, int points, double radius, double inner) {
  const double wedge = 2 * std::numbers::pi / points;
  const double angle = std::atan2(y, x), length = hypot(x, y);
  const double folded = abs(angle - wedge * std::round(angle / wedge));
  const double px = length * std::cos(folded), py = length * std::sin(folded);
  const double nx = inner * std::cos(wedge / 2), ny = inner * std::sin(wedge / 2);
  const double ex = nx - radius, ey = ny;
  return ((px - radius) * ey - py * ex) / hypot(ex, ey);
}

double outline(double distance, double thickness) { return abs(distance) - thickness / 2; }

double two_bars(double x, double y) { return box(abs(x) - 0.5, y, 0.24, 0.85); }

double checker(double x, double y) {  // three by three, the five dark fields
  const double field = 0.57;
  const bool dark =
      (static_cast<int>(std::floor(x / field + 0.5)) + static_cast<int>(std::floor(y / field + 0.5))) % 2 ==
      0;
  const double to_line = field * min(abs(x / field + 0.5 - std::round(x / field + 0.5)),
                                     abs(y / field + 0.5 - std::round(y / field + 0.5)));
  return max(box(x, y, 1.5 * field, 1.5 * field), dark ? -to_line : to_line);
}

double three_dots(double x, double y) {
  double nearest = 9.0;
  for (int k = 0; k < 3; ++k) {
    const double angle = 2 * std::numbers::pi * k / 3;
    nearest = min(nearest, disc(x - 0.62 * std::cos(angle), y - 0.62 * std::sin(angle), 0.34));
  }
  return nearest;
}

struct Shape {
  std::string_view word;
  double (*distance)(double x, double y);
};

// Any first n of them are told apart by form alone, whatever the rotation and size.
constexpr std::array<Shape, synth_shapes> shapes = {{
    {"disc", [](double x, double y) { return disc(x, y, 0.8); }},
    {"ring", [](double x, double y) { return outline(disc(x, y, 0.75), 0.32); }},
    {"square", [](double x, double y) { return box(x, y, 0.72, 0.72); }},
    {"cross", [](double x, double y) { return min(box(x, y, 0.95, 0.26), box(x, y, 0.26, 0.95)); }},
    {"triangle", [](double x, double y) { return polygon(x, y, 3, 1.05); }},
    {"frame", [](double x, double y) { return outline(box(x, y, 0.7, 0.7), 0.3); }},
    {"bars", two_bars},
    {"checker", checker},
    {"crescent", [](double x, double y) { return max(disc(x, y, 0.9), -disc(x - 0.48, y, 0.72)); }},
    {"dots", three_dots},
    {"star", [](double x, double y) { return star(x, y, 5, 1.05, 0.42); }},
    {"half-disc", [](double x, double y) { return max(disc(x + 0.4, y, 0.95), -(x + 0.4)); }},
    {"tee",
     [](double x, double y) { return min(box(x, y - 0.65, 0.9, 0.24), box(x, y + 0.15, 0.24, 0.85)); }},
    {"bent",
     [](double x, double y) { return min(box(x + 0.6, y, 0.25, 0.9), box(x, y + 0.65, 0.85, 0.25)); }},
    {"bar", [](double x, double y) { return box(x, y, 1.0, 0.25); }},
    {"target", [](double x, double y) { return min(disc(x, y, 0.3), outline(disc(x, y, 0.8), 0.26)); }},
}};

}  // namespace

std::string_view shape_word(int shape) {
  ensure(shape >= 0 && shape < synth_shapes);
  return shapes[shape].word;
}

double shape_distance(int shape, double x, double y) {
  ensure(shape >= 0 && shape < synth_shapes);
  return shapes[shape].distance(x, y);
}

}  // namespace convoy
