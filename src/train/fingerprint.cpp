#include "train/fingerprint.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <sstream>

namespace convoy {
namespace {

constexpr const char* keys[] = {"backend", "library", "isa", "threads", "road", "shares"};

// Of ranks that do not share as they would by themselves: the library's sum, and the bits, depend on it.
std::string shares_of(const std::vector<RankReport>& ranks, Road road, int together) {
  std::vector<int> counts, even;
  for (const RankReport& rank : ranks) counts.push_back(rank.workers);
  const int runs = std::accumulate(counts.begin(), counts.end(), 0) / together;
  for (size_t rank = 0; rank < ranks.size(); ++rank)
    even.push_back(even_share(runs, static_cast<int>(ranks.size()), static_cast<int>(rank)).count * together);
  return road == Road::tree || counts == even ? "" : fmt::format("{}", fmt::join(counts, ","));
}

template <class F>
std::string over_ranks(const std::vector<RankReport>& ranks, F&& value) {
  std::vector<std::string> different;
  for (const RankReport& rank : ranks)
    if (const std::string text = value(rank.device); std::ranges::find(different, text) == different.end())
      different.push_back(text);
  return fmt::format("{}", fmt::join(different, " + "));
}

}  // namespace

std::string fingerprint_of(const std::vector<RankReport>& ranks, Road road, int together) {
  const std::string values[] = {
      over_ranks(ranks, [](const DeviceInfo& d) { return d.backend; }),
      over_ranks(ranks, [](const DeviceInfo& d) { return d.library; }),
      over_ranks(ranks, [](const DeviceInfo& d) { return d.isa; }),
      over_ranks(ranks, [](const DeviceInfo& d) { return std::to_string(d.threads); }),
      road == Road::tree ? "tree" : "library",
      shares_of(ranks, road, together)};
  std::string text;
  for (size_t i = 0; i < std::size(keys); ++i)
    if (!values[i].empty()) text += fmt::format("{} = {}\n", keys[i], values[i]);
  return text;
}

std::string fingerprint_value(const std::string& fingerprint, const std::string& key) {
  std::istringstream lines(fingerprint);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(key + " = ")) return line.substr(key.size() + 3);
  return "";
}

std::vector<std::string> fingerprint_differences(const std::string& a, const std::string& b) {
  std::vector<std::string> differences;
  const auto shown = [](const std::string& value) { return value.empty() ? "not recorded" : value; };
  for (const char* key : keys) {
    const std::string x = fingerprint_value(a, key), y = fingerprint_value(b, key);
    if (x != y) differences.push_back(fmt::format("{}: {} | {}", key, shown(x), shown(y)));
  }
  return differences;
}

std::string claim_after(const Snapshot& found, const Snapshot& now, const Log& log) {
  const auto differences = fingerprint_differences(found.fingerprint, now.fingerprint);
  if (!differences.empty())
    log.warn(
        "resumed with another fingerprint than the steps before had (before | now: {}): the result is "
        "repeatable, but no longer the same bits as an undisturbed run's",
        fmt::join(differences, "; "));
  return differences.empty() && found.claim == now.claim ? now.claim : "repeatable";
}

}  // namespace convoy
