#include "launch/starter.h"

#include <fmt/format.h>

#include "launch/shell.h"

namespace convoy {
namespace {

using Words = std::vector<std::string>;

void append(Words& to, const Words& from) { to.insert(to.end(), from.begin(), from.end()); }

int ranks_of(const std::vector<NodeGroup>& groups) {
  int ranks = 0;
  for (const NodeGroup& group : groups) ranks += group.all_ranks();
  return ranks;
}

Words srun(const std::vector<NodeGroup>& groups, const Words& options, const Words& program) {
  Words words{"srun"};
  for (size_t i = 0; i < groups.size(); ++i) {
    const NodeGroup& g = groups[i];
    if (i > 0) words.emplace_back(":");
    if (groups.size() > 1) words.push_back(fmt::format("--het-group={}", i));
    append(words, {fmt::format("--nodes={}", g.nodes), fmt::format("--ntasks={}", g.all_ranks()),
                   fmt::format("--ntasks-per-node={}", g.ranks),
                   fmt::format("--cpus-per-task={}", g.cpus_per_rank()), "--cpu-bind=cores",
                   "--distribution=block:block"});
    if (g.gpus > 0) words.push_back(fmt::format("--gpus-per-task={}", g.gpus / g.ranks));
    append(words, options);
    append(words, program);
  }
  return words;
}

// A job of several kinds of node: the slots that the scheduler has listed, in its order, and every rank free on its node,
// where convoy shares the cores out.
Words openmpi(const std::vector<NodeGroup>& groups, const Words& options, bool batch) {
  Words words{"mpirun", fmt::format("-n {}", ranks_of(groups))};
  if (groups.size() > 1)
    append(words, {"--map-by slot", "--bind-to none"});
  else
    append(words, {fmt::format("--map-by ppr:{}:node:PE={}", groups[0].ranks, groups[0].cores_per_rank()),
                   "--rank-by slot", "--bind-to core"});
  // A job that is deleted: mpirun would kill the ranks a second after it has passed SIGTERM on. But it waits as long after ranks
  // that have ended with 85, so it is no more than a scheduler waits itself. Without one the script sends SIGUSR1 instead.
  if (batch) words.emplace_back("--mca odls_base_sigkill_timeout 10");
  append(words, options);
  return words;
}

Words mpich(const std::vector<NodeGroup>& groups, const Words& options) {
  Words words{"mpiexec.hydra", fmt::format("-n {}", ranks_of(groups))};
  if (groups.size() == 1)
    append(words, {fmt::format("-ppn {}", groups[0].ranks),
                   fmt::format("-bind-to core:{}", groups[0].cores_per_rank())});
  append(words, options);
  return words;
}

Words pals(const NodeGroup& g, const Words& options) {
  Words words{"mpiexec", fmt::format("-n {}", g.all_ranks()), fmt::format("--ppn {}", g.ranks),
              fmt::format("--depth {}", g.cpus_per_rank()), "--cpu-bind depth"};
  append(words, options);
  return words;
}

Words jsrun(const NodeGroup& g, const Words& options) {
  Words words{"jsrun",
              fmt::format("--nrs {}", g.all_ranks()),
              fmt::format("--rs_per_host {}", g.ranks),
              "--tasks_per_rs 1",
              fmt::format("--cpu_per_rs {}", g.cores_per_rank()),
              fmt::format("--gpu_per_rs {}", g.gpus / g.ranks),
              "--launch_distribution packed",
              fmt::format("--bind packed:{}", g.cores_per_rank())};
  append(words, options);
  return words;
}

Words flux(const NodeGroup& g, const Words& options) {
  Words words{"flux run", fmt::format("--nodes={}", g.nodes), fmt::format("--ntasks={}", g.all_ranks()),
              fmt::format("--cores-per-task={}", g.cores_per_rank()), "-o cpu-affinity=per-task"};
  if (g.gpus > 0)
    append(words, {fmt::format("--gpus-per-task={}", g.gpus / g.ranks), "-o gpu-affinity=per-task"});
  append(words, options);
  return words;
}

}  // namespace

std::vector<std::string> start_words(const Site& site, const std::vector<NodeGroup>& groups,
                                     const Words& program) {
  Words options, wrapped;
  for (const std::string& option : site.launcher_options) options.push_back(quoted(option));
  // Flat mode: the fast memory is a NUMA node of its own, number 1, with no cores; what does not fit goes to the other.
  if (groups[0].mcdram == "flat") wrapped.emplace_back("numactl --preferred=1");
  append(wrapped, program);
  if (site.launcher == "srun") return srun(groups, options, wrapped);
  Words words = site.launcher == "openmpi" ? openmpi(groups, options, site.batch())
                : site.launcher == "mpich" ? mpich(groups, options)
                : site.launcher == "pals"  ? pals(groups[0], options)
                : site.launcher == "jsrun" ? jsrun(groups[0], options)
                                           : flux(groups[0], options);
  append(words, wrapped);
  return words;
}

}  // namespace convoy
