// What `convoy compare` found, complete and ready to be drawn: every output (report/print.h: table, Markdown, CSV, JSON; a
// page with charts) is a function of this structure alone and computes nothing. A side is one run, or several that belong
// together (seeds); sides[0] is the baseline that every other one is held against. Vectors "by side" have sides.size()
// elements; what is a difference from the baseline has an empty [0]. Curves to draw are in runs[...].curves.
// The rules are in report/compare.h, the tests in report/statistics.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/run.h"

namespace convoy::report {

enum class Kinship { identical, same_recipe, same_task, incomparable };  // same_recipe: but for the seed
enum class Verdict { none, same, better, worse, undecided };

struct Interval {
  double low = 0, high = 0;  // 95 %
};

struct Test {
  std::string name;      // "Mann-Whitney U", "Welch t", "McNemar exact", "McNemar chi2", "two proportions z"
  double statistic = 0;  // of the test's name; U is the baseline's
  double p = 1;          // two-sided
  double n_a = 0, n_b = 0;  // what it was made over: independent blocks, runs, images that differ
};

// One quantity on one side. Several runs: mean, sd and the runs' own values; one run: its value.
struct Cell {
  std::optional<double> value{};
  std::optional<double> sd{};
  std::optional<Interval> interval{};  // of the value: bootstrap over the steps
  std::vector<double> runs{};          // each run's value
  size_t samples = 0;                  // raw ones
  size_t block = 1;                    // consecutive samples that are one observation, as they depend on each other
  std::optional<Counts> counts{};
};

struct Change {
  std::optional<double> amount{};      // relative (-0.05 = 5 % less), of shares absolute
  std::optional<Interval> interval{};  // of the amount
  std::optional<Test> test{};
  Verdict verdict = Verdict::none;
  std::string words{};  // "slower", "same", "may be chance: p = 0.3"
};

struct Row {
  std::string name, title;
  Better better = Better::neither;
  bool share = false, decides = false;
  std::vector<Cell> cells{};      // by side
  std::vector<Change> changes{};  // by side
};

struct Difference {
  std::string key, a, b;  // as JSON text; "not recorded" where one does not say
};

struct CurveDifference {
  std::string name;                 // Curve::name
  double max = 0, at_images = 0;    // the largest |B - A|, and where
  double area = 0;                  // integral of |B - A| over images / the range: a mean distance
  double mean = 0;                  // integral of B - A / the range
  double from_images = 0, to_images = 0;  // the common range
  size_t points = 0;  // at which they were held against each other
};

struct Numerics {
  bool compared = false, equal = false;    // equal: as far as both recorded
  bool same_weights = false;               // at the end
  std::optional<int64_t> equal_through{};      // steps
  std::optional<int64_t> first_difference{};
  std::string words{};
};

// A side against the baseline.
struct Pairing {
  Kinship kinship = Kinship::incomparable;
  std::vector<Difference> differing{};  // what makes it no identical experiment
  std::vector<Difference> launch{};     // where the launches differ
  Numerics numerics{};                  // of sides of one run
  std::vector<CurveDifference> curves{};
};

struct Side {
  std::string label{};         // "A", "B", ...
  std::string name{};          // a run's name, or "3 runs: a, b, c"
  std::vector<size_t> runs{};  // in Comparison::runs
};

// `--fail-if`
struct RuleOutcome {
  std::string rule{}, words{};
  bool broken = false, judged = false;
};

// A side against MLPerf's reference convergence points (report/reference_points.h).
struct ReferenceOutcome {
  size_t side = 0;
  bool applies = false, passes = false;
  int64_t minibatch = 0;
  double epochs = 0, reference_mean = 0, least_epochs = 0;
  std::string words{};
};

struct Comparison {
  std::vector<Run> runs{};
  std::vector<Side> sides{};
  std::vector<Pairing> pairings{};  // by side
  std::vector<Row> rows{};
  std::vector<RuleOutcome> rules{};
  std::vector<ReferenceOutcome> references{};
  std::vector<std::string> notes{};
  bool refused = false;  // not comparable and not forced: there are no rows
  std::string verdict{};  // one sentence
  int exit_code = 0;      // 0 no regression, 1 regression or broken rule, 2 not comparable
};

}  // namespace convoy::report
