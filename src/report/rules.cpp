#include "report/rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace convoy::report {
namespace {

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// Names that other tools have for it.
std::string own_name(const std::string& name) {
  for (const auto& [theirs, ours] : {std::pair{"img_per_s", "images_per_s"},
                                     {"val_top1", "held_out_top1"},
                                     {"val_top5", "held_out_top5"},
                                     {"val_loss", "held_out_loss"}})
    if (name == theirs) return ours;
  return name;
}

bool holds(double change, const Rule& rule) {
  if (rule.comparison == "<") return change < rule.bound;
  if (rule.comparison == "<=") return change <= rule.bound;
  if (rule.comparison == ">") return change > rule.bound;
  return change >= rule.bound;
}

RuleOutcome judge(const Rule& rule, const Row& row, const Comparison& comparison, size_t side) {
  const Side &a = comparison.sides.front(), &b = comparison.sides[side];
  const auto &x = row.cells.front().value, &y = row.cells[side].value;
  RuleOutcome outcome{.rule = rule.text};
  if (!x || !y || (rule.relative && *x == 0)) {
    outcome.words =
        fmt::format("{}: cannot be judged, {} has no {}", rule.text, x ? b.label : a.label, row.name);
    return outcome;
  }
  const double change = rule.relative ? 100 * (*y / *x - 1) : (*y - *x) * (row.share ? 100 : 1);
  outcome.judged = true;
  outcome.broken = holds(change, rule);
  outcome.words = fmt::format("{}: {} ({} against {}: {:+.3g}{})", rule.text,
                              outcome.broken ? "FAILED" : "passed", b.label, a.label, change,
                              rule.relative ? " %"
                              : row.share   ? " points"
                                            : "");
  return outcome;
}

}  // namespace

Rule parse_rule(const std::string& text) {
  constexpr const char* example = "images_per_s < -5%";
  const size_t at = text.find_last_of("<>");
  require(at != std::string::npos && at > 0, Exit::usage,
          "--fail-if '{}' is no METRIC < BOUND: write it like '{}'", text, example);
  Rule rule{.text = text, .metric = own_name(trimmed(text.substr(0, at))), .comparison = text.substr(at, 1)};
  std::string bound = text.substr(at + 1);
  if (bound.starts_with("=")) {
    rule.comparison += '=';
    bound.erase(0, 1);
  }
  bound = trimmed(bound);
  rule.relative = bound.ends_with("%");
  if (rule.relative) bound = trimmed(bound.substr(0, bound.size() - 1));
  const char* from = bound.starts_with("+") ? bound.c_str() + 1 : bound.c_str();
  const auto [end, error] = std::from_chars(from, bound.c_str() + bound.size(), rule.bound);
  require(
      error == std::errc() && end == bound.c_str() + bound.size() && rule.bound > -1e18 && rule.bound < 1e18,
      Exit::usage, "--fail-if '{}': \"{}\" is no number: write it like '{}'", text, bound, example);
  return rule;
}

void judge_rules(Comparison& comparison, const std::vector<Rule>& rules) {
  for (const Rule& rule : rules) {
    const auto row = std::ranges::find(comparison.rows, rule.metric, &Row::name);
    if (row == comparison.rows.end()) {
      std::vector<std::string> names;
      for (const Row& known : comparison.rows) names.push_back(known.name);
      const std::string near = nearest(rule.metric, names);
      fail(Exit::usage, "--fail-if '{}': no run has {}{}; there are {}", rule.text, rule.metric,
           near.empty() ? "" : fmt::format(" (did you mean {}?)", near), fmt::join(names, ", "));
    }
    for (size_t side = 1; side < comparison.sides.size(); ++side)
      comparison.rules.push_back(judge(rule, *row, comparison, side));
  }
}

}  // namespace convoy::report
