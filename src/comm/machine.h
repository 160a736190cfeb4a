// What one host is made of, by hwloc (Broquedis et al., PDP 2010): cores with their hardware threads, NUMA node and
// package, in hwloc's order, so that neighbours in the list share caches. Plain data: a synthetic machine is as good as
// a real one, which is how the placement is tested.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoy {

struct Core {
  std::vector<int> units;  // operating system's numbers of its hardware threads (PUs)
  int numa = 0, package = 0;
};

// Memory on the processor's own package, several times as fast as the rest (Xeon Phi's MCDRAM, Xeon Max's HBM) and small,
// in flat mode: a NUMA node without cores beside the ordinary one.
struct FastMemory {
  int node = 0;  // operating system's number
  std::string kind;
  uint64_t bytes = 0;
  std::vector<int> units;  // that are near
};

struct Machine {
  std::vector<Core> cores;           // those that this process may use at all (cgroups respected)
  int packages = 0, numa_nodes = 0;  // nodes of fast memory not counted
  uint64_t memory_bytes = 0;         // fast memory included
  std::vector<FastMemory> fast_memory;
  uint64_t memory_cache_bytes = 0;  // fast memory in cache mode: nothing to place, all of it used by itself
  std::string cpu_model;            // "AMD EPYC 7763 64-Core Processor", "" if unknown

  int units() const;
  std::string summary()
      const;  // "AMD EPYC: 2 packages, 2 NUMA nodes, 128 cores, 256 hardware threads, 503.5 GiB"
};

// `synthetic` is hwloc's description of a machine that is not there ("numa:2 core:8 pu:2", or its XML); empty for this one.
Machine read_machine(const std::string& synthetic = "");

std::string read_binding();  // PUs that this process may run on, as "0-3,8"

// Binds OpenMP's threads 0 ... n-1 of the calling thread's team to the given PUs each. What the system refuses stays as
// it is: placement is for speed.
void bind_team(const std::vector<std::vector<int>>& units_by_thread);

// Fast memory near its PUs comes first for whatever each of the team's threads touches first from now on, ordinary memory when
// it is full. Returns the nodes; none where there are none, where the system refuses, or where somebody (numactl) has
// already said what goes where.
std::vector<int> prefer_fast_memory(const Machine& machine,
                                    const std::vector<std::vector<int>>& units_by_thread);
std::vector<int> fast_nodes_near(const Machine& machine, const std::vector<int>& units);

std::vector<int> parse_list(const std::string& list);     // "0-3,8" -> {0, 1, 2, 3, 8}
std::string print_list(const std::vector<int>& numbers);  // and back

}  // namespace convoy
