#include "report/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "report/comparability.h"
#include "report/curves.h"
#include "report/numerics.h"
#include "report/sides.h"

namespace convoy::report {
namespace {

// Every run of a side against the baseline's first: the furthest decides.
Pairing pairing_of(const Comparison& comparison, const Side& base, const Side& side) {
  const Run& first = comparison.runs[base.runs.front()];
  Pairing pairing{.kinship = Kinship::identical};
  for (const size_t index : side.runs) {
    const Run& run = comparison.runs[index];
    const Kinship found = kinship(first, run);
    if (index == base.runs.front() || found < pairing.kinship) continue;
    if (found > pairing.kinship || pairing.differing.empty())
      pairing.differing = recipe_differences(first, run);
    pairing.kinship = found;
  }
  pairing.launch = launch_differences(first, comparison.runs[side.runs.front()]);
  return pairing;
}

void add_details(const Comparison& comparison, const Side& base, const Side& side, Pairing& pairing) {
  if (base.runs.size() != 1 || side.runs.size() != 1) {
    pairing.numerics.words = "several runs on a side: the bits are not compared";
    return;
  }
  const Run &a = comparison.runs[base.runs.front()], &b = comparison.runs[side.runs.front()];
  if (pairing.kinship == Kinship::identical)
    pairing.numerics = compare_numerics(a, b);
  else
    pairing.numerics.words = "other recipes: the bits are not compared";
  for (const Curve& curve : a.curves)
    if (const Curve* other = b.curve(curve.name))
      if (auto difference = curve_difference(curve, *other)) pairing.curves.push_back(*difference);
}

bool completed(const Comparison& comparison, const Side& side) {
  return std::ranges::all_of(side.runs,
                             [&](size_t run) { return comparison.runs[run].status == "completed"; });
}

bool ended_badly(const Comparison& comparison, const Side& side) {
  return std::ranges::any_of(side.runs, [&](size_t run) {
    const std::string& status = comparison.runs[run].status;
    return !status.empty() && status != "completed" && status != "running";
  });
}

std::string regression_words(const Row& row, const Side& side, const Change& change) {
  return row.share
             ? fmt::format("{} of {} is {:.2f} points lower", row.name, side.label, -100 * *change.amount)
             : fmt::format("{} of {} is {:.1f} % {}", row.name, side.label, 100 * std::abs(*change.amount),
                           *change.amount < 0 ? "lower" : "higher");
}

// What a test over one run's images cannot know.
void add_seeds_note(Comparison& comparison) {
  for (const Row& row : comparison.rows)
    for (size_t side = 1; side < comparison.sides.size(); ++side) {
      const Verdict verdict = row.changes[side].verdict;
      if (!row.share || !row.decides || comparison.pairings[side].kinship == Kinship::identical ||
          comparison.sides[side].runs.size() > 1 || comparison.sides.front().runs.size() > 1 ||
          (verdict != Verdict::worse && verdict != Verdict::better))
        continue;
      comparison.notes.push_back(
          "one run a side: these two networks differ, but another seed of the same recipe may differ as much; compare "
          "several seeds of each");
      return;
    }
}

void decide(Comparison& comparison) {
  std::vector<std::string> regressions, doubts;
  const bool by_rules = !comparison.rules.empty();
  for (size_t side = 1; side < comparison.sides.size(); ++side) {
    if (completed(comparison, comparison.sides.front()) && ended_badly(comparison, comparison.sides[side]))
      regressions.push_back(fmt::format("{} did not complete", comparison.sides[side].label));
    for (const Row& row : comparison.rows) {
      const Change& change = row.changes[side];
      if (change.verdict == Verdict::worse && !by_rules)
        regressions.push_back(regression_words(row, comparison.sides[side], change));
      if (change.verdict == Verdict::undecided)
        doubts.push_back(row.name + " of " + comparison.sides[side].label);
    }
  }
  bool unjudged = false;
  for (const RuleOutcome& rule : comparison.rules) {
    if (rule.broken) regressions.push_back(fmt::format("--fail-if '{}' holds", rule.rule));
    unjudged = unjudged || !rule.judged;
  }
  const std::string base = comparison.sides.front().label;
  if (!regressions.empty()) {
    comparison.exit_code = 1;
    comparison.verdict = fmt::format("regression against {}: {}", base, fmt::join(regressions, "; "));
  } else if (unjudged) {
    comparison.exit_code = 2;
    comparison.verdict = "a --fail-if rule could not be judged";
  } else {
    comparison.verdict = fmt::format("no regression against {}", base);
  }
  if (!doubts.empty()) comparison.verdict += fmt::format("; undecided: {}", fmt::join(doubts, ", "));
}

}  // namespace

Comparison compare(std::vector<std::vector<Run>> arguments, const CompareOptions& options) {
  Comparison comparison;
  set_sides(comparison, std::move(arguments), options.group_by);
  for (const Run& run : comparison.runs)
    comparison.notes.insert(comparison.notes.end(), run.warnings.begin(), run.warnings.end());
  const Side& base = comparison.sides.front();
  for (const Side& side : comparison.sides) comparison.pairings.push_back(pairing_of(comparison, base, side));
  const auto refused = [](const Pairing& pairing) { return pairing.kinship == Kinship::incomparable; };
  if (std::ranges::any_of(comparison.pairings, refused) && !options.force) {
    comparison.refused = true;
    comparison.exit_code = 2;
    comparison.verdict = "refused: they did not do the same task; --force compares them all the same";
    return comparison;
  }
  for (size_t side = 1; side < comparison.sides.size(); ++side)
    add_details(comparison, base, comparison.sides[side], comparison.pairings[side]);
  add_rows(comparison, options.rows);
  judge_rules(comparison, options.rules);
  check_references(comparison, options.references);
  add_seeds_note(comparison);
  decide(comparison);
  return comparison;
}

}  // namespace convoy::report
