#include "cli/diff_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace convoy::cli {
namespace {

using Lines = std::vector<DiffLine>;

Lines::const_iterator first_unequal(const Lines& lines) {
  return std::ranges::find_if(lines, [](const DiffLine& line) { return !line.equal(); });
}

Lines::const_iterator first_beyond(const Lines& lines) {
  return std::ranges::find_if(lines, [](const DiffLine& line) { return !line.within(); });
}

// Of the bound; what is no number counts as the most.
double share(const DiffLine& line) {
  if (line.equal()) return 0;
  const double of_bound = line.measured.error / line.tolerance;
  return of_bound == of_bound ? of_bound : std::numeric_limits<double>::infinity();
}

const char* word(DiffReport::Verdict verdict) {
  return verdict == DiffReport::Verdict::equal      ? "equal"
         : verdict == DiffReport::Verdict::rounding ? "rounding"
                                                    : "differs";
}

std::string ulps_text(uint64_t ulps) {
  return ulps == std::numeric_limits<uint64_t>::max() ? "NaN" : std::to_string(ulps);
}

std::string row(const DiffLine& line) {
  return fmt::format("{:<58} {:>9.3f} % {:>11} {:>10.2e} {:>10.2e}  {}\n", line.what,
                     100.0 * static_cast<double>(line.measured.unequal) / static_cast<double>(line.elements),
                     ulps_text(line.measured.ulps), line.measured.error, line.tolerance,
                     line.equal()    ? "equal"
                     : line.within() ? "rounding"
                                     : "DIFFERS");
}

// The first that part, the first beyond the bound, and those that come nearest to it or lie farthest beyond, in order.
std::vector<const DiffLine*> telling(const Lines& lines) {
  std::vector<const DiffLine*> order, kept;
  for (const DiffLine& line : lines)
    if (!line.equal()) order.push_back(&line);
  const auto keep = [&](const DiffLine* line) {
    if (std::ranges::find(kept, line) == kept.end()) kept.push_back(line);
  };
  for (size_t i = 0; i < order.size() && i < 3; ++i) keep(order[i]);
  if (const auto beyond = first_beyond(lines); beyond != lines.end()) keep(&*beyond);
  std::ranges::stable_sort(order, [](const DiffLine* x, const DiffLine* y) { return share(*x) > share(*y); });
  for (size_t i = 0; i < order.size() && i < 5; ++i) keep(order[i]);
  std::ranges::sort(kept);  // by address: program order
  return kept;
}

}  // namespace

DiffReport::Verdict DiffReport::verdict() const {
  if (first_beyond(lines) != lines.end()) return Verdict::differs;
  return first_unequal(lines) == lines.end() ? Verdict::equal : Verdict::rounding;
}

std::string DiffReport::text(bool all) const {
  std::string text = fmt::format("{}, {} images, weights {}, batch {}\n  A  {}\n  B  {}\n\n", network, images,
                                 weights_xxh3, batch_xxh3, a, b);
  std::vector<const DiffLine*> rows = telling(lines);
  if (all) {
    rows.clear();
    for (const DiffLine& line : lines) rows.push_back(&line);
  }
  if (!rows.empty())
    text += fmt::format("{:<58} {:>11} {:>11} {:>10} {:>10}\n", "tensor", "unequal", "most ulps", "error",
                        "bound");
  for (const DiffLine* line : rows) text += row(*line);
  if (rows.size() < lines.size() && !rows.empty())
    text += fmt::format("(of {} tensors; --all shows every one)\n", lines.size());
  const auto equal = std::ranges::count_if(lines, [](const DiffLine& line) { return line.equal(); });
  if (verdict() == Verdict::equal)
    return text + fmt::format("equal: every bit of {} tensors\n", lines.size());
  text += fmt::format("{} of {} tensors are equal in every bit; the first that is not: {}\n", equal,
                      lines.size(), first_unequal(lines)->what);
  if (verdict() == Verdict::differs) {
    const DiffLine& line = *first_beyond(lines);
    return text +
           fmt::format(
               "NOT ROUNDING, first in: {}: element {} is {:.9g} in A and {:.9g} in B; in norm {:.3g} of the tensor, "
               "at most {:.3g} by rounding\n",
               line.what, line.measured.index, line.a, line.b, line.measured.error, line.tolerance);
  }
  const auto worst = std::ranges::max_element(lines, {}, share);
  return text + fmt::format("rounding: the most is {:.2g} % of the bound, in: {}\n", 100 * share(*worst),
                            worst->what);
}

nlohmann::ordered_json DiffReport::json() const {
  using Json = nlohmann::ordered_json;
  const auto name = [&](Lines::const_iterator line) {
    return line == lines.end() ? Json(nullptr) : Json(line->what);
  };
  Json tensors = Json::array();
  for (const DiffLine& line : lines)
    tensors.push_back({{"tensor", line.what},
                       {"elements", line.elements},
                       {"unequal", line.measured.unequal},
                       {"ulps", line.measured.ulps},
                       {"error", line.measured.error},  // infinite and NaN: null
                       {"bound", line.tolerance},
                       {"worst_element", line.measured.index},
                       {"a", line.a},
                       {"b", line.b},
                       {"verdict", line.equal()    ? "equal"
                                   : line.within() ? "rounding"
                                                   : "differs"}});
  return {{"schema", "convoy.diff/1"},
          {"network", network},
          {"images", images},
          {"weights_xxh3", weights_xxh3},
          {"batch_xxh3", batch_xxh3},
          {"a", a},
          {"b", b},
          {"verdict", word(verdict())},
          {"first_unequal", name(first_unequal(lines))},
          {"first_beyond_rounding", name(first_beyond(lines))},
          {"tensors", tensors}};
}

}  // namespace convoy::cli
