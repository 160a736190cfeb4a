#include "comm/silence.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace convoy {

std::string name_the_silent(Communicator& communicator, const std::vector<std::string>& hosts,
                            std::chrono::milliseconds waited) {
  const auto patience = std::min<std::chrono::milliseconds>(waited, std::chrono::seconds(5));
  constexpr size_t named = 8;
  const std::vector<int> silent = communicator.silent_ranks(patience);
  if (silent.empty())
    return "no other rank is known to be silent: look for what they report, or raise the stall limit if it may take so long";
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(named, silent.size()); ++i)
    names.push_back(fmt::format("rank {} on {}", silent[i], hosts.at(static_cast<size_t>(silent[i]))));
  if (silent.size() > named) names.push_back(fmt::format("{} more", silent.size() - named));
  return fmt::format(
      "no sign of life within {:g} s from {}: stopped, dead, cut off, or at work without an end; look there, then "
      "go on with --resume",
      std::chrono::duration<double>(patience).count(), fmt::join(names, ", "));
}

}  // namespace convoy
