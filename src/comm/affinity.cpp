#include "comm/affinity.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"

namespace convoy {
namespace {

// Cores of which the process may use at least one hardware thread.
std::vector<int> cores_of(const Machine& machine, const std::string& units) {
  const std::vector<int> allowed = parse_list(units);
  std::vector<int> cores;
  for (size_t c = 0; c < machine.cores.size(); ++c)
    if (std::ranges::any_of(machine.cores[c].units,
                            [&](int unit) { return std::ranges::find(allowed, unit) != allowed.end(); }))
      cores.push_back(static_cast<int>(c));
  return cores;
}

// A rank with many cores leaves some to those who read images and send messages: compute threads that wait for a core in
// turn would make all others wait with them (Intel Caffe kept two of a Xeon Phi's 68).
constexpr int many_cores = 32, spare_cores = 2;

std::string map_of(const Machine& machine, const std::string& host, const CorePlan& plan) {
  return fmt::format("\n  {}", fmt::join(describe(machine, host, plan), "\n  "));
}

// Ranks that hold the same set share it out: contiguous, equal, a remainder stays free for readers and progress.
void split_equal_sets(CorePlan& plan) {
  std::map<std::vector<int>, std::vector<RankCores*>> groups;
  for (RankCores& rank : plan.ranks) groups[rank.cores].push_back(&rank);
  for (const auto& [cores, group] : groups) {
    const size_t each = cores.size() / group.size();
    if (each == 0 || group.size() == 1) continue;
    for (size_t i = 0; i < group.size(); ++i) {
      const auto begin = cores.begin() + static_cast<std::ptrdiff_t>(i * cores.size() / group.size());
      group[i]->cores.assign(begin, begin + static_cast<std::ptrdiff_t>(each));
    }
  }
}

bool overlaps(const CorePlan& plan) {
  std::set<int> taken;
  for (const RankCores& rank : plan.ranks)
    for (const int core : rank.cores)
      if (!taken.insert(core).second) return true;
  return false;
}

}  // namespace

CorePlan plan_cores(const Machine& machine, const std::string& host, const std::vector<Binding>& bindings,
                    const AffinityOptions& options) {
  CorePlan plan;
  const size_t on_host = machine.cores.size();
  for (const Binding& binding : bindings) {
    RankCores rank{binding.rank, cores_of(machine, binding.units), false};
    require(!rank.cores.empty(), "rank {} on {} may use no core that this host has ({})", rank.rank, host,
            binding.units);
    rank.bound = rank.cores.size() < on_host;
    plan.ranks.push_back(std::move(rank));
  }
  CorePlan shared = plan;
  split_equal_sets(shared);
  plan.bind = !overlaps(shared);
  plan.threads = std::max(1, options.threads);
  require(plan.bind || options.allow_overlap || on_host >= bindings.size(), Exit::usage,
          "{} ranks share the {} cores of {}: start at most {} ranks there, or add --oversubscribe if slow "
          "is fine{}",
          bindings.size(), on_host, host, on_host, map_of(machine, host, plan));
  require(plan.bind || options.allow_overlap, Exit::usage,
          "ranks on {} overlap on a core: give the launcher --bind-to none (the cores are then shared out "
          "evenly), or --map-by and --bind-to so that the sets are separate, or add --oversubscribe if slow "
          "is fine{}",
          host, map_of(machine, host, plan));
  if (plan.bind) plan.ranks = std::move(shared.ranks);

  const RankCores& least =
      *std::ranges::min_element(plan.ranks, {}, [](const RankCores& r) { return r.cores.size(); });
  const int fit = static_cast<int>(least.cores.size());
  if (options.threads == 0)
    plan.threads = plan.bind ? fit - (fit >= many_cores ? spare_cores : 0)
                             : std::max(1, static_cast<int>(on_host / bindings.size()));
  require(plan.threads <= fit || options.allow_overlap, Exit::usage,
          "{} threads do not fit the {} core{} of rank {} on {}: start the ranks with --bind-to none or "
          "fewer to a host, ask for --threads {}, or add --oversubscribe if slow is fine{}",
          plan.threads, fit, fit == 1 ? "" : "s", least.rank, host, fit, map_of(machine, host, plan));
  if (plan.threads > fit) plan.bind = false;

  if (!plan.bind)
    plan.warnings.push_back(
        fmt::format("{}: ranks or threads share cores (--oversubscribe), times mean nothing", host));
  const size_t deserved = on_host / bindings.size();
  if (least.bound && fit == 1 && deserved > 1)
    plan.warnings.push_back(fmt::format(
        "{}: the launcher bound rank {} to 1 of {} cores; --bind-to none gives each of the {} ranks {} cores",
        host, least.rank, on_host, bindings.size(), deserved));
  return plan;
}

std::vector<std::string> describe(const Machine& machine, const std::string& host, const CorePlan& plan) {
  std::vector<std::string> lines;
  for (const RankCores& rank : plan.ranks) {
    std::vector<int> nodes;
    for (const int core : rank.cores) nodes.push_back(machine.cores[static_cast<size_t>(core)].numa);
    lines.push_back(fmt::format("rank {} on {}: core{} {} (NUMA {}), {} thread{}{}", rank.rank, host,
                                rank.cores.size() == 1 ? "" : "s", print_list(rank.cores), print_list(nodes),
                                plan.threads, plan.threads == 1 ? "" : "s", plan.bind ? "" : ", not bound"));
  }
  return lines;
}

std::string rank_order_advice(const std::vector<std::string>& hosts) {
  const std::set<std::string> different(hosts.begin(), hosts.end());
  if (different.size() < 2 || different.size() == hosts.size() || hosts[0] == hosts[1]) return "";
  return "ranks are dealt out to hosts in turn, so the largest messages cross the network; number them host "
         "by host (mpirun --map-by core, srun --distribution=block)";
}

}  // namespace convoy
