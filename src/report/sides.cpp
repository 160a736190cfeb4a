#include "report/sides.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"

namespace convoy::report {
namespace {

std::string label_of(size_t index) {
  std::string label(1, static_cast<char>('A' + index % 26));
  return index < 26 ? label : label + std::to_string(index / 26);
}

std::string name_of(const std::vector<Run>& runs, const std::vector<size_t>& members) {
  if (members.size() == 1) return runs[members.front()].name;
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min<size_t>(members.size(), 5); ++i) names.push_back(runs[members[i]].name);
  return fmt::format("{} runs: {}{}", members.size(), fmt::join(names, ", "),
                     members.size() > 5 ? ", ..." : "");
}

// Runs of one name, in folders of others: their paths tell them apart.
void tell_apart(std::vector<Run>& runs) {
  std::map<std::string, int> times;
  for (const Run& run : runs) ++times[run.name];
  for (Run& run : runs)
    if (const std::filesystem::path path(run.path); times[run.name] > 1)
      run.name = (path.filename() == "result.json" ? path.parent_path() : path).string();
}

// The commands of one file of hyperfine's are the sides.
std::vector<Run> commands_of(const Run& file) {
  std::vector<Run> runs;
  for (const Quantity& quantity : file.quantities) {
    Run run = file;
    run.name = quantity.name;
    run.quantities = {quantity};
    runs.push_back(std::move(run));
  }
  return runs;
}

void call_all_time(std::vector<Run>& runs) {
  for (Run& run : runs) {
    run.quantities.front().name = "time_s";
    run.quantities.front().title = "time, seconds";
  }
}

// One benchmark in each file, under different names (two commands of hyperfine's): they are meant to be compared.
bool are_single_benchmarks(const std::vector<Run>& runs) {
  return std::ranges::all_of(runs,
                             [&](const Run& run) {
                               return find(run.task, "benchmark") != nullptr && run.quantities.size() == 1;
                             }) &&
         std::ranges::any_of(
             runs, [&](const Run& run) { return run.quantities[0].name != runs[0].quantities[0].name; });
}

void group(Comparison& comparison, const std::vector<std::string>& keys) {
  std::vector<std::vector<std::string>> seen;
  std::set<std::string> known{"experiment.recipe"};
  for (const Run& run : comparison.runs)
    for (const Facts* facts : {&run.recipe, &run.task, &run.launch, &run.other})
      for (const auto& [key, value] : *facts) known.insert(key);
  for (const std::string& key : keys)
    if (!known.contains(key)) {
      const std::string near = nearest(key, {known.begin(), known.end()});
      fail(Exit::usage, "--group-by {}: no run has this key{}", key,
           near.empty() ? " (such are experiment.recipe, launch.backend, minibatch.global)"
                        : fmt::format(" (did you mean {}?)", near));
    }
  for (size_t run = 0; run < comparison.runs.size(); ++run) {
    std::vector<std::string> values;
    for (const std::string& key : keys) values.push_back(group_value(comparison.runs[run], key));
    const auto found = std::ranges::find(seen, values);
    if (found == seen.end()) {
      seen.push_back(values);
      comparison.sides.push_back({.runs = {run}});
    } else {
      comparison.sides[static_cast<size_t>(found - seen.begin())].runs.push_back(run);
    }
  }
}

}  // namespace

std::string group_value(const Run& run, const std::string& key) {
  if (key == "experiment.recipe") {
    Digest digest;
    for (const auto& [name, value] : run.recipe)
      if (name != "train.seed") digest.add(name + "=" + value + "\n");
    return digest.hex();
  }
  const std::string* value = run.fact(key);
  return value == nullptr ? "" : *value;
}

void set_sides(Comparison& comparison, std::vector<std::vector<Run>> arguments,
               const std::vector<std::string>& group_by) {
  if (arguments.size() == 1 && arguments[0].size() == 1 && arguments[0][0].format == "hyperfine")
    arguments = {commands_of(arguments[0][0])};
  const bool each = arguments.size() == 1;
  for (std::vector<Run>& runs : arguments) {
    Side side;
    for (Run& run : runs) {
      side.runs.push_back(comparison.runs.size());
      comparison.runs.push_back(std::move(run));
    }
    if (!each && group_by.empty()) comparison.sides.push_back(std::move(side));
  }
  tell_apart(comparison.runs);
  if (are_single_benchmarks(comparison.runs)) call_all_time(comparison.runs);
  if (!group_by.empty())
    group(comparison, group_by);
  else if (each)
    for (size_t run = 0; run < comparison.runs.size(); ++run) comparison.sides.push_back({.runs = {run}});
  for (size_t i = 0; i < comparison.sides.size(); ++i) {
    comparison.sides[i].label = label_of(i);
    comparison.sides[i].name = name_of(comparison.runs, comparison.sides[i].runs);
  }
  require(comparison.sides.size() >= 2, Exit::usage, "there is nothing to compare {} with: name two runs{}",
          comparison.runs.front().path, group_by.empty() ? "" : ", or group by a key in which they differ");
}

}  // namespace convoy::report
