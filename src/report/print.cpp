#include "report/print.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/comparability.h"

namespace convoy::report {
namespace {

using Line = std::vector<std::string>;

// The rows as cells of text: what, A, B, B against A, C, C against A ...
std::vector<Line> grid(const Comparison& comparison) {
  std::vector<Line> lines;
  const bool many = comparison.sides.size() > 2;
  Line head{""};
  for (size_t side = 0; side < comparison.sides.size(); ++side) {
    head.push_back(comparison.sides[side].label);
    if (side > 0) head.push_back(many ? fmt::format("{} - A", comparison.sides[side].label) : "B - A");
  }
  lines.push_back(head);
  for (const Row& row : comparison.rows) {
    Line line{row.title};
    for (size_t side = 0; side < row.cells.size(); ++side) {
      line.push_back(shown(row, row.cells[side]));
      if (side > 0) line.push_back(shown(row, row.changes[side]));
    }
    lines.push_back(line);
  }
  return lines;
}

std::string aligned(const std::vector<Line>& lines) {
  std::vector<size_t> widths(lines.front().size(), 0);
  for (const Line& line : lines)
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string text;
  for (const Line& line : lines) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i) row += fmt::format("{:<{}}  ", line[i], widths[i]);
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

std::string side_line(const Comparison& comparison, const Side& side) {
  const Run& run = comparison.runs[side.runs.front()];
  std::vector<std::string> words{side.name};
  if (side.runs.size() == 1 && !run.status.empty()) words.push_back(run.status);
  if (run.format != "convoy") words.push_back("from " + run.format);
  if (const std::string launch = launch_words(run); !launch.empty()) words.push_back(launch);
  return fmt::format("{}  {}", side.label, fmt::join(words, ", "));
}

// What differs, as lines; long lists are cut.
std::vector<std::string> difference_lines(const Pairing& pairing) {
  constexpr size_t most = 40;
  std::vector<std::string> lines;
  for (const Difference& difference : pairing.differing) {
    if (lines.size() == most) {
      lines.push_back(fmt::format("... and {} more", pairing.differing.size() - most));
      break;
    }
    lines.push_back(fmt::format("{}: {} | {}", difference.key, difference.a, difference.b));
  }
  return lines;
}

std::string prefix(const Comparison& comparison, size_t side) {
  return comparison.sides.size() > 2 ? comparison.sides[side].label + ": " : "";
}

// Everything that is said in sentences below the rows.
std::vector<std::string> sentences(const Comparison& comparison) {
  std::vector<std::string> lines;
  for (size_t side = 1; side < comparison.sides.size() && !comparison.refused; ++side) {
    const Pairing& pairing = comparison.pairings[side];
    for (const CurveDifference& curve : pairing.curves)
      lines.push_back(prefix(comparison, side) + curve_words(curve));
    lines.push_back(prefix(comparison, side) + "numerics: " + pairing.numerics.words);
  }
  for (const ReferenceOutcome& outcome : comparison.references)
    lines.push_back(fmt::format("convergence of {}, after MLPerf's reference points: {}",
                                comparison.sides[outcome.side].label, outcome.words));
  for (const RuleOutcome& rule : comparison.rules) lines.push_back(fmt::format("--fail-if {}", rule.words));
  for (const std::string& note : comparison.notes) lines.push_back(fmt::format("note: {}", note));
  lines.push_back(comparison.verdict);
  return lines;
}

std::string escaped(std::string text) {
  for (size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2))
    text.insert(at, 1, '\\');
  return text;
}

}  // namespace

std::string table(const Comparison& comparison) {
  std::string text;
  for (const Side& side : comparison.sides) text += side_line(comparison, side) + "\n";
  for (size_t side = 0; side < comparison.sides.size(); ++side) {
    const Pairing& pairing = comparison.pairings[side];
    if (side == 0 && pairing.kinship < Kinship::same_task)
      continue;  // a side of several tasks is worth a line
    text += fmt::format("{}{}\n", prefix(comparison, side), in_words(pairing.kinship));
    for (const std::string& line : difference_lines(pairing)) text += fmt::format("  {}\n", line);
  }
  if (!comparison.rows.empty()) text += fmt::format("\n{}\n", aligned(grid(comparison)));
  return text + fmt::format("{}\n", fmt::join(sentences(comparison), "\n"));
}

std::string markdown(const Comparison& comparison) {
  std::string text;
  for (const Side& side : comparison.sides)
    text += fmt::format("- {}\n", escaped(side_line(comparison, side)));
  for (size_t side = 1; side < comparison.sides.size(); ++side) {
    const Pairing& pairing = comparison.pairings[side];
    text += fmt::format("\n{}**{}**\n", prefix(comparison, side), in_words(pairing.kinship));
    for (const std::string& line : difference_lines(pairing)) text += fmt::format("- `{}`\n", line);
  }
  if (!comparison.rows.empty()) {
    std::vector<Line> lines = grid(comparison);
    for (Line& line : lines)
      for (std::string& cell : line) cell = escaped(cell);
    text += fmt::format("\n| {} |\n|", fmt::join(lines[0], " | "));
    for (size_t i = 0; i < lines[0].size(); ++i) text += "---|";
    for (size_t i = 1; i < lines.size(); ++i) text += fmt::format("\n| {} |", fmt::join(lines[i], " | "));
    text += "\n";
  }
  text += "\n";
  for (const std::string& line : sentences(comparison)) text += fmt::format("- {}\n", escaped(line));
  return text;
}

std::string shown(double value) {
  const bool whole = std::abs(value) >= 1000 && std::abs(value) < 1e15;
  return whole ? fmt::format("{:.0f}", value) : fmt::format("{:.5g}", value);
}

std::string shown(const Row& row, const Cell& cell) {
  if (!cell.value) return "-";
  if (cell.sd)
    return fmt::format("{} +- {} ({} runs)", shown(*cell.value), fmt::format("{:.2g}", *cell.sd),
                       cell.runs.size());
  if (row.share && cell.counts)
    return fmt::format("{:.4f} ({} of {})", *cell.value, cell.counts->correct, cell.counts->images);
  if (row.share) return fmt::format("{:.4f}", *cell.value);
  if (cell.interval)
    return fmt::format("{} [{}, {}]", shown(*cell.value), shown(cell.interval->low),
                       shown(cell.interval->high));
  return shown(*cell.value);
}

std::string shown(const Row& row, const Change& change) {
  if (!change.amount) return "";
  const double amount = 100 * *change.amount;
  std::string text = row.share                ? fmt::format("{:+.2f} points", amount)
                     : std::abs(amount) < 1e6 ? fmt::format("{:+.1f} %", amount)
                                              : fmt::format("{:+.1e} %", amount);
  if (change.interval && std::abs(amount) < 1e6)
    text += fmt::format(" [{:+.1f}, {:+.1f}]", 100 * change.interval->low, 100 * change.interval->high);
  if (!change.words.empty()) text += " " + change.words;
  if (change.test && row.decides)
    text += fmt::format(", {}{}", row.share ? change.test->name + ": " : "",
                        change.test->p < 1e-4 ? "p < 0.0001" : fmt::format("p = {:.2g}", change.test->p));
  return text;
}

std::string launch_words(const Run& run) {
  std::vector<std::string> words;
  if (const std::string* ranks = find(run.launch, "launch.ranks"))
    words.push_back(*ranks + (*ranks == "1" ? " rank" : " ranks"));
  for (const char* key :
       {"launch.backend", "launch.library", "launch.isa", "launch.device", "submission_platform"})
    if (const std::string* value = find(run.launch, key)) words.push_back(*value);
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string curve_words(const CurveDifference& difference) {
  if (difference.max == 0) return fmt::format("{}: the same curve", difference.name);
  return fmt::format("{} over {} to {} images: at most {} apart (at {}), {} on average, B - A {:+.4g}",
                     difference.name, human_count(difference.from_images), human_count(difference.to_images),
                     shown(difference.max), human_count(difference.at_images), shown(difference.area),
                     difference.mean);
}

const char* word(Verdict verdict) {
  switch (verdict) {
    case Verdict::same:
      return "same";
    case Verdict::better:
      return "better";
    case Verdict::worse:
      return "worse";
    case Verdict::undecided:
      return "undecided";
    case Verdict::none:
      return "";
  }
  return "";
}

}  // namespace convoy::report
