#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "cli/bench.h"
#include "report/statistics.h"

extern char** environ;

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;

Json sheet_of(std::vector<std::string> words, const std::filesystem::path& file) {
  words.push_back(file.string());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ);
  if (error != 0) fail_errno(error, "cannot start " + words[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "{} ended with {}: its own words are above",
          words[0],
          WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                            : fmt::format("signal {}", WTERMSIG(status)));
  return Json::parse(read_text(file));
}

// One round's times join those of the rounds before.
void add(Json& all, const Json& round) {
  if (all.is_null()) all = {{"context", round.at("context")}, {"benchmarks", Json::array()}};
  for (const Json& entry : round.at("benchmarks"))
    if (entry.at("run_type") == "iteration") all["benchmarks"].push_back(entry);
}

std::map<std::string, std::vector<double>> times_of(const Json& sheet, std::vector<std::string>& order) {
  std::map<std::string, std::vector<double>> times;
  for (const Json& entry : sheet.at("benchmarks")) {
    const std::string name = entry.at("run_name");
    if (!times.contains(name)) order.push_back(name);
    times[name].push_back(entry.at("real_time"));
  }
  return times;
}

}  // namespace

Duel duel(const std::vector<std::string>& ours, const std::vector<std::string>& theirs, int rounds) {
  const TemporaryFolder folder("convoy-bench-");
  Duel all;
  for (int round = 0; round < rounds; ++round) {
    // Who begins changes from round to round, so that neither always finds what the other has warmed or heated.
    for (const bool first : {round % 2 == 0, round % 2 != 0})
      add(first ? all.ours : all.theirs, sheet_of(first ? ours : theirs, folder.path() / "sheet.json"));
  }
  return all;
}

void print_duel(const Duel& duel) {
  std::vector<std::string> order, unused;
  const auto ours = times_of(duel.ours, order), theirs = times_of(duel.theirs, unused);
  size_t width = 20;
  for (const std::string& name : order) width = std::max(width, name.size());
  fmt::print("{:<{}} {:>12} {:>12}   theirs / ours, 95 %\n", "", width, "ours, ms", "theirs, ms");
  for (const std::string& name : order) {
    const auto other = theirs.find(name);
    if (other == theirs.end()) continue;
    const std::vector<double>& mine = ours.at(name);
    std::vector<double> ratios;
    for (size_t i = 0; i < std::min(mine.size(), other->second.size()); ++i)
      ratios.push_back(other->second[i] / mine[i]);
    const report::Interval interval = report::median_interval(ratios);
    fmt::print("{:<{}} {:12.3f} {:12.3f}   {:.3f} ({:.3f} to {:.3f})\n", name, width, report::median(mine),
               report::median(other->second), report::median(ratios), interval.low, interval.high);
  }
}

}  // namespace convoy::cli
