#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <string>

#include "base/denormals.h"
#include "base/error.h"
#include "base/text.h"
#include "comm/affinity.h"

namespace convoy {
namespace {

std::vector<int> units_of(const Machine& machine, const std::vector<int>& cores) {
  std::vector<int> units;
  for (const int core : cores) {
    const auto& of_core = machine.cores[static_cast<size_t>(core)].units;
    units.insert(units.end(), of_core.begin(), of_core.end());
  }
  return units;
}

// Thread 0 calls the program's other threads into being, and they inherit where it may run: the whole share. So does every
// thread where threads are not bound.
std::vector<std::vector<int>> units_by_thread(const Machine& machine, const std::vector<int>& cores,
                                              const CorePlan& plan) {
  std::vector<std::vector<int>> units{units_of(machine, cores)};
  for (int thread = 1; thread < plan.threads; ++thread)
    units.push_back(plan.bind ? units_of(machine, {cores[static_cast<size_t>(thread)]}) : units.front());
  return units;
}

}  // namespace

void set_denormals(bool flush, int threads) {
  flush_denormals(flush);
#pragma omp parallel num_threads(threads)
  flush_denormals(flush);
}

Affinity place(Communicator& communicator, const AffinityOptions& options) {
  Affinity result;
  result.machine = read_machine();
  const std::string host = communicator.host();
  const auto hosts = communicator.gather(host), units = communicator.gather(read_binding());
  std::vector<Binding> here;
  for (int rank = 0; rank < communicator.size(); ++rank)
    if (hosts[static_cast<size_t>(rank)] == host) here.push_back({rank, units[static_cast<size_t>(rank)]});
  CorePlan plan = plan_cores(result.machine, host, here, options);

  // Weight gradients depend on the number of threads that share the work: the smallest host decides for all.
  for (const std::string& threads : communicator.gather(std::to_string(plan.threads)))
    plan.threads = std::min(plan.threads, std::stoi(threads));
  result.threads = plan.threads;
  omp_set_dynamic(0);
  omp_set_num_threads(plan.threads);
  set_denormals(options.flush_denormals, plan.threads);
  if (options.flush_denormals && !flushes_denormals())
    plan.warnings.emplace_back(
        "this processor cannot take denormal numbers for zero: it computes with them, as with "
        "precision.denormals = \"keep\"");
  const auto mine = std::ranges::find(plan.ranks, communicator.rank(), &RankCores::rank);
  const auto teams_units = units_by_thread(result.machine, mine->cores, plan);
  if (plan.bind) bind_team(teams_units);
  const auto fast = prefer_fast_memory(result.machine, teams_units);

  const auto index = static_cast<size_t>(mine - plan.ranks.begin());
  std::string my_line = describe(result.machine, host, plan)[index];
  if (!fast.empty()) my_line += fmt::format(", memory of NUMA {} first", print_list(fast));
  result.map = communicator.gather(my_line);
  const std::string warnings = index == 0 ? fmt::format("{}", fmt::join(plan.warnings, "\n")) : "";
  for (const std::string& text : communicator.gather(warnings))
    for (const std::string& line : lines_of(text)) result.warnings.push_back(line);
  if (const std::string advice = rank_order_advice(hosts); !advice.empty()) result.warnings.push_back(advice);
  return result;
}

int turn_on_host(Communicator& communicator, const std::string& kind) {
  const std::string mine = fmt::format("{} {}", communicator.host(), kind);
  const auto all = communicator.gather(mine);
  return static_cast<int>(std::count(all.begin(), all.begin() + communicator.rank(), mine));
}

}  // namespace convoy
