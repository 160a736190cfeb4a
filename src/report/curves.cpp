#include "report/curves.h"

#include <algorithm>
#include <cmath>

namespace convoy::report {
namespace {

constexpr size_t most_points = 200;

std::vector<Point> sorted(const Curve& curve) {
  std::vector<Point> points = curve.points;
  std::ranges::stable_sort(points, {}, &Point::images);
  return points;
}

std::vector<Point> thinned(const std::vector<Point>& points, double from, double to) {
  std::vector<Point> inside;
  for (const Point& point : points)
    if (point.images >= from && point.images <= to) inside.push_back(point);
  if (inside.size() <= most_points || !(to > from)) return points;
  struct Bin {
    double images = 0, value = 0, count = 0;
  };
  std::vector<Bin> bins(most_points);
  for (const Point& point : inside) {
    const double share = (point.images - from) / (to - from);
    Bin& bin = bins[std::min(most_points - 1, static_cast<size_t>(share * most_points))];
    bin.images += point.images, bin.value += point.value, ++bin.count;
  }
  std::vector<Point> means;
  for (const Bin& bin : bins)
    if (bin.count > 0) means.push_back({bin.images / bin.count, bin.value / bin.count});
  return means;
}

double at(const std::vector<Point>& points, double images) {
  const auto above = std::ranges::lower_bound(points, images, {}, &Point::images);
  if (above == points.end()) return points.back().value;
  if (above == points.begin() || above->images == images) return above->value;
  const Point &low = *(above - 1), &high = *above;
  return low.value + (high.value - low.value) * (images - low.images) / (high.images - low.images);
}

}  // namespace

std::optional<CurveDifference> curve_difference(const Curve& a, const Curve& b) {
  std::vector<Point> x = sorted(a), y = sorted(b);
  if (x.empty() || y.empty()) return {};
  CurveDifference difference{.name = a.name,
                             .from_images = std::max(x.front().images, y.front().images),
                             .to_images = std::min(x.back().images, y.back().images)};
  if (difference.from_images > difference.to_images) return {};
  x = thinned(x, difference.from_images, difference.to_images);
  y = thinned(y, difference.from_images, difference.to_images);
  difference.from_images = std::max(x.front().images, y.front().images);  // of the bins' middles now
  difference.to_images = std::min(x.back().images, y.back().images);
  std::vector<double> grid{difference.from_images, difference.to_images};
  for (const std::vector<Point>* points : {&x, &y})
    for (const Point& point : *points)
      if (point.images > difference.from_images && point.images < difference.to_images)
        grid.push_back(point.images);
  std::ranges::sort(grid);
  grid.erase(std::unique(grid.begin(), grid.end()), grid.end());
  difference.points = grid.size();
  double before = 0;
  for (size_t i = 0; i < grid.size(); ++i) {
    const double apart = at(y, grid[i]) - at(x, grid[i]);
    if (std::abs(apart) > difference.max || i == 0) {
      difference.max = std::abs(apart);
      difference.at_images = grid[i];
    }
    if (i > 0) {
      const double width = grid[i] - grid[i - 1];
      difference.area += width * (std::abs(before) + std::abs(apart)) / 2;
      difference.mean += width * (before + apart) / 2;
    }
    before = apart;
  }
  const double range = difference.to_images - difference.from_images;
  if (range > 0) {
    difference.area /= range;
    difference.mean /= range;
  } else {
    difference.area = std::abs(before);
    difference.mean = before;
  }
  return difference;
}

}  // namespace convoy::report
