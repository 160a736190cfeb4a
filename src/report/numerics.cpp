#include "report/numerics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>

#include "port/batch.h"
#include "report/comparability.h"

namespace convoy::report {
namespace {

constexpr std::array bits_depend_on{"launch.backend", "launch.library", "launch.isa", "launch.threads",
                                    "launch.road",    "launch.ranks",   "claim"};

std::string why(const Run& a, const Run& b) {
  std::vector<std::string> differing;
  for (const Difference& difference : launch_differences(a, b)) {
    if (std::ranges::find(bits_depend_on, difference.key) == bits_depend_on.end()) continue;
    std::string key = difference.key;
    if (key.starts_with("launch.")) key.erase(0, 7);
    differing.push_back(fmt::format("{}: {} | {}", key, difference.a, difference.b));
  }
  if (differing.empty()) return "; their fingerprints are the same";
  return fmt::format("; their launches differ in {}", fmt::join(differing, ", "));
}

struct StepPair {
  StepSums a, b;
};

struct Steps {
  std::optional<int64_t> equal_through{};
  std::optional<StepPair> first_difference{};
};

Steps compare_steps(const Run& a, const Run& b) {
  Steps steps;
  std::map<int64_t, StepSums> others;
  for (const StepSums& sums : b.steps) others[sums.step] = sums;
  for (const StepSums& mine : a.steps) {
    const auto other = others.find(mine.step);
    if (other == others.end()) continue;
    if (mine.loss != other->second.loss || mine.correct1 != other->second.correct1) {
      steps.first_difference = StepPair{mine, other->second};
      return steps;
    }
    steps.equal_through = mine.step;
  }
  return steps;
}

std::string in_words(const StepPair& pair) {
  if (pair.a.loss == pair.b.loss)
    return fmt::format("the steps' counts first differ at step {} (correct: {} | {})", pair.a.step,
                       pair.a.correct1, pair.b.correct1);
  const double x = static_cast<double>(pair.a.loss) * Totals::unit,
               y = static_cast<double>(pair.b.loss) * Totals::unit;
  return fmt::format(
      "the steps' losses first differ at step {} (sums over its images: {:.10g} | {:.10g}, {:.1e} apart)",
      pair.a.step, x, y, std::abs(x - y));
}

}  // namespace

Numerics compare_numerics(const Run& a, const Run& b) {
  Numerics numerics{.compared = true,
                    .equal = true,
                    .same_weights = !a.final_digest.empty() && a.final_digest == b.final_digest};
  std::optional<int64_t> digests, differs;
  for (const Evaluation& mine : a.evaluations) {
    const auto other = std::ranges::find(b.evaluations, mine.step, &Evaluation::step);
    if (differs || mine.digest.empty() || other == b.evaluations.end() || other->digest.empty()) continue;
    (mine.digest == other->digest ? digests : differs) = mine.step;
  }
  const Steps steps = compare_steps(a, b);
  numerics.equal_through = digests;
  numerics.first_difference = differs;
  if (steps.first_difference && (!differs || steps.first_difference->a.step < *differs))
    numerics.first_difference = steps.first_difference->a.step;
  const std::string by_step =
      steps.first_difference ? fmt::format("; {}", in_words(*steps.first_difference)) : "";
  if (differs) {
    numerics.equal = false;
    numerics.words =
        (digests ? fmt::format("bitwise equal through step {}, different at step {}", *digests, *differs)
                 : fmt::format("the weights differ at step {}, the first that both recorded", *differs)) +
        by_step + why(a, b);
  } else if (steps.first_difference) {
    numerics.equal = false;
    numerics.words = (digests ? fmt::format("bitwise equal through step {}", *digests)
                              : "no step at which both recorded the weights") +
                     by_step + why(a, b);
  } else if (digests) {
    numerics.words = fmt::format("bitwise equal through step {}", *digests);
  } else if (steps.equal_through) {
    numerics.words =
        fmt::format("no step at which both recorded the weights; the losses are equal through step {}",
                    *steps.equal_through);
  } else {
    numerics.compared = numerics.equal = false;
    numerics.words = "no step at which both recorded the weights";
  }
  return numerics;
}

}  // namespace convoy::report
