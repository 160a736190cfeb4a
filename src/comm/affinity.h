// Which cores each rank computes on, so that no two ranks share one by accident: the launchers' commonest and most
// expensive silence (all ranks on one core, or one core for sixteen threads). Ranks of a host that were given the same
// set of cores split it evenly, in hwloc's order; ranks that were given separate sets keep them; anything between is
// refused with the map. plan_cores() is a pure function of machine and bindings; place() is collective and binds.
#pragma once

#include <string>
#include <vector>

#include "comm/machine.h"
#include "port/communicator.h"

namespace convoy {

struct AffinityOptions {
  int threads =
      0;  // a rank; 0: as many as it has cores, but for two of 32 or more; the same number on every rank
  bool allow_overlap = false;    // --oversubscribe: take what there is and bind nothing
  bool flush_denormals = false;  // base/denormals.h, on every thread that computes
};

struct RankCores {
  int rank = 0;
  std::vector<int> cores;  // indices into Machine::cores
  bool bound = false;      // by the launcher, to fewer cores than the host has
};

struct CorePlan {
  std::vector<RankCores> ranks;  // of one host, in rank order
  int threads = 1;               // compute threads of every rank
  bool bind = false;
  std::vector<std::string> warnings;
};

struct Binding {
  int rank = 0;
  std::string units;  // PUs that the process may run on, "0-3,8"
};

// For the ranks of ONE host. Throws with the map when they do not fit.
CorePlan plan_cores(const Machine& machine, const std::string& host, const std::vector<Binding>& bindings,
                    const AffinityOptions& options);

// "rank 3 on node1: cores 4-7 (NUMA 1), 4 threads", one line a rank.
std::vector<std::string> describe(const Machine& machine, const std::string& host, const CorePlan& plan);

// Something to say when ranks are dealt out to hosts in turn: the tree's first exchanges, the largest, then cross hosts.
std::string rank_order_advice(const std::vector<std::string>& hosts);

struct Affinity {
  Machine machine;                    // this rank's host
  int threads = 1;                    // of every rank; set for OpenMP
  std::vector<std::string> map;       // lines for the log, of all ranks, by rank
  std::vector<std::string> warnings;  // of all hosts, each once
};

// Collective. Reads bindings and machine, plans, sets OpenMP's thread count, binds its threads to their cores and sets their
// floating-point environment. The calling thread stays on all cores of its rank: threads that it starts later (readers,
// progress) inherit that, and the environment; those that the MPI library may have started before, for sums of its own, not.
Affinity place(Communicator& communicator, const AffinityOptions& options);

// flush_denormals() for the calling thread and a team of so many, which may have been started before.
void set_denormals(bool flush, int threads);

// Collective: how many lower ranks of this rank's host are of the same kind (compute with the same backend).
int turn_on_host(Communicator& communicator, const std::string& kind);

}  // namespace convoy
