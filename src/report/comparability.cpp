#include "report/comparability.h"

#include <algorithm>
#include <map>

#include "train/experiment_fields.h"

namespace convoy::report {
namespace {

constexpr const char* seed = "train.seed";
constexpr const char* not_recorded = "not recorded";

bool is_benchmark(const Run& run) { return find(run.task, "benchmark") != nullptr; }

bool share_a_benchmark(const Run& a, const Run& b) {
  return std::ranges::any_of(a.quantities, [&](const Quantity& q) { return b.quantity(q.name) != nullptr; });
}

bool both_convoy(const Run& a, const Run& b) { return a.format == "convoy" && b.format == "convoy"; }

std::string value_of(const Facts& facts, const std::string& key) {
  if (const std::string* value = find(facts, key)) return *value;
  return before_the_key(key);
}

void hold(const Facts& x, const Facts& y, bool known_to_both, std::vector<Difference>& into) {
  std::vector<std::string> keys;
  for (const Facts* facts : {&x, &y})
    for (const auto& [key, value] : *facts)
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  for (const std::string& key : keys) {
    const std::string a = value_of(x, key), b = value_of(y, key);
    const bool listed = std::ranges::find(into, key, &Difference::key) != into.end();
    if (a == b || listed || (known_to_both && (a.empty() || b.empty()))) continue;
    into.push_back({key, a.empty() ? not_recorded : a, b.empty() ? not_recorded : b});
  }
}

std::vector<Difference> known_differences(const Run& a, const Run& b) {
  std::vector<Difference> differing;
  hold(a.recipe, b.recipe, !both_convoy(a, b), differing);
  hold(a.task, b.task, !both_convoy(a, b), differing);
  return differing;
}

}  // namespace

std::string before_the_key(const std::string& key) {
  static const auto meant = [] {
    std::map<std::string, std::string> values;
    Experiment experiment;
    visit_fields(experiment, [&](const Field& field) {
      if (!field.absent.empty()) values[field.name()] = field.absent;
    });
    return values;
  }();
  const auto found = meant.find(key);
  return found == meant.end() ? "" : found->second;
}

std::vector<Difference> recipe_differences(const Run& a, const Run& b) {
  if (!a.hash.empty() && a.hash == b.hash) return {};
  std::vector<Difference> differing = known_differences(a, b);
  if (!differing.empty()) return differing;
  hold(a.task, b.task, false, differing);  // what only one of them says
  if (both_convoy(a, b)) hold({{"experiment.hash", a.hash}}, {{"experiment.hash", b.hash}}, false, differing);
  return differing;
}

std::vector<Difference> launch_differences(const Run& a, const Run& b) {
  std::vector<Difference> differing;
  hold(a.launch, b.launch, !both_convoy(a, b), differing);
  return differing;
}

Kinship kinship(const Run& a, const Run& b) {
  if (!a.hash.empty() && a.hash == b.hash) return Kinship::identical;
  if (is_benchmark(a) != is_benchmark(b)) return Kinship::incomparable;
  if (is_benchmark(a)) return share_a_benchmark(a, b) ? Kinship::same_task : Kinship::incomparable;
  if (find(a.task, "network.model") == nullptr || find(b.task, "network.model") == nullptr)
    return Kinship::incomparable;
  for (const auto& [key, value] : a.task) {
    const std::string* other = find(b.task, key);
    if (other == nullptr ? both_convoy(a, b) : *other != value) return Kinship::incomparable;
  }
  if (both_convoy(a, b)) {
    for (const auto& [key, value] : b.task)
      if (find(a.task, key) == nullptr) return Kinship::incomparable;
    const auto differing = known_differences(a, b);
    if (differing.size() == 1 && differing[0].key == seed) return Kinship::same_recipe;
  }
  return Kinship::same_task;
}

const char* in_words(Kinship kinship) {
  switch (kinship) {
    case Kinship::identical:
      return "identical experiment";
    case Kinship::same_recipe:
      return "same recipe, other seed";
    case Kinship::same_task:
      return "same task, other recipe";
    case Kinship::incomparable:
      return "not comparable";
  }
  return "";
}

}  // namespace convoy::report
