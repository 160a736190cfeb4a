// What a machine file must say before a script can be written from it.
#include <fmt/format.h>

#include "base/duration.h"
#include "base/error.h"
#include "launch/site.h"

namespace convoy {
namespace {

void check_group(const Site& site, const NodeGroup& group, const std::string& section) {
  const std::string file = site.file.string();
  const auto needs = [&](int value, const char* key, const char* flag) {
    require(value > 0, Exit::usage, "{}: {}.{} is missing{}", file, section, key,
            section == "node" ? fmt::format(": give it there, or with {}", flag) : "");
  };
  needs(group.nodes, "nodes", "--nodes");
  needs(group.ranks, "ranks", "--ranks-per-node");
  require(int64_t{group.nodes} * group.ranks <= 1 << 24, Exit::usage,
          "{}: {} nodes of {} ranks ([{}]) are more than any machine has: at most {} ranks", file,
          group.nodes, group.ranks, section, 1 << 24);
  require(group.cores > 0, Exit::usage, "{}: {}.cores is missing: the real cores of a node", file, section);
  require(group.cores >= group.ranks, Exit::usage, "{}: {} ranks do not fit the {} cores of a node ([{}])",
          file, group.ranks, group.cores, section);
  require(
      group.threads() > 0, Exit::usage,
      "{}: of {} cores a rank {} are spare, which leaves none to compute on: lower {}.spare_cores or the ranks",
      file, group.cores_per_rank(), group.spare_cores, section);
  require(group.gpus % group.ranks == 0, Exit::usage,
          "{}: {} GPUs of a node cannot be shared by {} ranks: make {}.ranks a divisor", file, group.gpus,
          group.ranks, section);
  require(group.numa_mode.empty() || !group.mcdram.empty(), Exit::usage,
          "{}: {}.numa_mode without {}.mcdram: Knights Landing has both", file, section, section);
  require(
      group.mcdram != "flat" || !group.numa_mode.starts_with("snc"), Exit::usage,
      "{}: in flat mode with {} the fast memory is a NUMA node a cluster of cores, and numactl prefers one for all: take "
      "numa_mode = \"quad\", or mcdram = \"cache\" ([{}])",
      file, group.numa_mode, section);
  require(
      group.mcdram.empty() || site.scheduler == "slurm" || site.scheduler == "mpirun" ||
          !group.constraint.empty() || !site.options.empty(),
      Exit::usage,
      "{}: how {} is asked for nodes in mode {} is each site's own: put it into {}.constraint or job.options",
      file, site.scheduler, group.mcdram, section);
}

void check_times(const Site& site) {
  const std::string file = site.file.string();
  require(site.wall_time.count() > 0, Exit::usage,
          "{}: job.wall_time is missing: give it there, or with --wall-time", file);
  require(
      site.stop_before.count() > 0, Exit::usage,
      "{}: job.stop_before is missing: how long before the wall time a run is to stop at a checkpoint, there or with "
      "--stop-before",
      file);
  require(site.stop_before < site.wall_time, Exit::usage,
          "{}: stopping {} before a wall time of {} leaves no time to train", file,
          print_duration(site.stop_before), print_duration(site.wall_time));
  require(site.scheduler != "slurm" || site.stop_before.count() < 65536, Exit::usage,
          "{}: Slurm signals at most 65535 seconds ahead: make job.stop_before less", file);
}

}  // namespace

void check_site(const Site& site) {
  const std::string file = site.file.string();
  for (size_t i = 0; i < site.groups.size(); ++i) check_group(site, site.groups[i], i == 0 ? "node" : "also");
  if (site.batch()) check_times(site);
  const auto only = [&](const char* launcher, const char* scheduler) {
    require(site.launcher != launcher || site.scheduler == scheduler, Exit::usage,
            "{}: mpi.launcher = \"{}\" starts programs under {} alone, and the scheduler is {}", file,
            launcher, scheduler, site.scheduler);
  };
  only("srun", "slurm");
  only("jsrun", "lsf");
  only("flux", "flux");
  require(
      site.groups.size() == 1 || (site.scheduler == "slurm" && site.launcher == "srun") ||
          (site.scheduler == "pbs" && (site.launcher == "openmpi" || site.launcher == "mpich")),
      Exit::usage,
      "{}: a job of several kinds of node ([[also]]) is written for Slurm with srun, and for PBS with Open MPI or MPICH",
      file);
  require(
      site.batch() || (site.groups[0].nodes == 1 || !site.launcher_options.empty()), Exit::usage,
      "{}: {} nodes without a scheduler: name the hosts in mpi.options, for instance [\"--hostfile\", \"hosts\"]",
      file, site.groups[0].nodes);
  require(site.qos.empty() || site.scheduler == "slurm", Exit::usage,
          "{}: job.qos is Slurm's, and the scheduler is {}: ask for it by job.options", file, site.scheduler);
  for (const NodeGroup& group : site.groups)
    require(group.memory.empty() || site.scheduler != "flux", Exit::usage,
            "{}: Flux gives nodes with their memory: leave node.memory out", file);
  for (const NodeGroup& group : site.groups)
    require(site.batch() || (group.partition.empty() && group.constraint.empty() && group.memory.empty()),
            Exit::usage,
            "{}: partition, constraint and memory are a scheduler's, and scheduler = \"mpirun\" has none",
            file);
}

}  // namespace convoy
