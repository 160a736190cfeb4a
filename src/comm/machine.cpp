#include "comm/machine.h"

#include <fmt/format.h>
#include <hwloc.h>
#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/text.h"

namespace convoy {
namespace {

using Topology = std::unique_ptr<hwloc_topology, void (*)(hwloc_topology_t)>;
using Bitmap = std::unique_ptr<hwloc_bitmap_s, void (*)(hwloc_bitmap_t)>;

Topology load(const std::string& synthetic) {
  hwloc_topology_t raw = nullptr;
  require(hwloc_topology_init(&raw) == 0, "hwloc cannot start");
  Topology topology(raw, hwloc_topology_destroy);
  if (synthetic.starts_with("<"))
    require(hwloc_topology_set_xmlbuffer(raw, synthetic.c_str(), static_cast<int>(synthetic.size()) + 1) == 0,
            "hwloc does not understand this XML");
  else if (!synthetic.empty())
    require(hwloc_topology_set_synthetic(raw, synthetic.c_str()) == 0, "hwloc does not understand \"{}\"",
            synthetic);
  hwloc_topology_set_type_filter(raw, HWLOC_OBJ_MEMCACHE, HWLOC_TYPE_FILTER_KEEP_ALL);
  require(hwloc_topology_load(raw) == 0, "hwloc cannot read this machine's topology");
  return topology;
}

Bitmap new_bitmap() { return {hwloc_bitmap_alloc(), hwloc_bitmap_free}; }

std::vector<int> numbers_in(hwloc_const_bitmap_t set) {
  std::vector<int> numbers;
  for (int i = hwloc_bitmap_first(set); i >= 0; i = hwloc_bitmap_next(set, i)) numbers.push_back(i);
  return numbers;
}

bool is_fast(hwloc_obj_t node) {
  const std::string kind = node->subtype != nullptr ? node->subtype : "";
  return kind == "MCDRAM" || kind == "HBM";
}

uint64_t cache_beside_memory(hwloc_topology_t topology) {
  uint64_t bytes = 0;
  for (hwloc_obj_t cache = nullptr;
       (cache = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_MEMCACHE, cache)) != nullptr;)
    bytes += cache->attr->cache.size;
  return bytes;
}

int ancestor(hwloc_obj_t object, hwloc_obj_type_t type, hwloc_topology_t topology) {
  const hwloc_obj_t found = hwloc_get_ancestor_obj_by_type(topology, type, object);
  return found == nullptr ? 0 : static_cast<int>(found->logical_index);
}

}  // namespace

int Machine::units() const {
  size_t sum = 0;
  for (const Core& core : cores) sum += core.units.size();
  return static_cast<int>(sum);
}

std::string Machine::summary() const {
  const auto counted = [](int n, const char* what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  uint64_t fast = 0;
  for (const FastMemory& memory : fast_memory) fast += memory.bytes;
  const std::string extra =
      fast > 0 ? fmt::format(", {} of them {}", human_bytes(fast), fast_memory.front().kind)
      : memory_cache_bytes > 0
          ? fmt::format(" behind {} of fast memory as a cache", human_bytes(memory_cache_bytes))
          : "";
  return fmt::format("{}: {}, {}, {}, {}, {}{}", cpu_model.empty() ? "unknown processor" : cpu_model,
                     counted(packages, "package"), counted(numa_nodes, "NUMA node"),
                     counted(static_cast<int>(cores.size()), "core"), counted(units(), "hardware thread"),
                     human_bytes(memory_bytes), extra);
}

Machine read_machine(const std::string& synthetic) {
  const Topology owned = load(synthetic);
  hwloc_topology_t topology = owned.get();
  Machine machine;
  const hwloc_obj_t root = hwloc_get_root_obj(topology);
  machine.memory_bytes = root->total_memory;
  machine.packages = std::max(1, hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE));
  for (hwloc_obj_t node = nullptr;
       (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != nullptr;) {
    if (is_fast(node))
      machine.fast_memory.push_back({static_cast<int>(node->os_index), node->subtype,
                                     node->attr->numanode.local_memory, numbers_in(node->cpuset)});
    else
      ++machine.numa_nodes;
  }
  machine.numa_nodes = std::max(1, machine.numa_nodes);
  machine.memory_cache_bytes = cache_beside_memory(topology);
  const hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
  if (const char* model = hwloc_obj_get_info_by_name(package != nullptr ? package : root, "CPUModel"))
    machine.cpu_model = model;

  // Some virtual machines show hardware threads without cores: each counts as a core then.
  const bool has_cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0;
  const hwloc_obj_type_t type = has_cores ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
  for (hwloc_obj_t core = nullptr; (core = hwloc_get_next_obj_by_type(topology, type, core)) != nullptr;) {
    const int node = hwloc_bitmap_first(core->nodeset);
    const hwloc_obj_t numa =
        node < 0 ? nullptr : hwloc_get_numanode_obj_by_os_index(topology, static_cast<unsigned>(node));
    machine.cores.push_back({numbers_in(core->cpuset),
                             numa == nullptr ? 0 : static_cast<int>(numa->logical_index),
                             ancestor(core, HWLOC_OBJ_PACKAGE, topology)});
  }
  return machine;
}

std::string read_binding() {
  // With OMP_PLACES or OMP_PROC_BIND set, the OpenMP runtime has already bound the first thread to its own place; the
  // places together are what the process was given.
  std::vector<int> placed;
  for (int place = 0; place < omp_get_num_places(); ++place) {
    std::vector<int> units(static_cast<size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, units.data());
    placed.insert(placed.end(), units.begin(), units.end());
  }
  if (!placed.empty()) return print_list(placed);

  const Topology topology = load("");
  const Bitmap set = new_bitmap();
  if (hwloc_get_cpubind(topology.get(), set.get(), HWLOC_CPUBIND_PROCESS) != 0)
    hwloc_bitmap_copy(set.get(), hwloc_topology_get_topology_cpuset(topology.get()));
  hwloc_bitmap_and(set.get(), set.get(), hwloc_topology_get_topology_cpuset(topology.get()));
  return print_list(numbers_in(set.get()));
}

void bind_team(const std::vector<std::vector<int>>& units_by_thread) {
  const Topology topology = load("");
  std::vector<Bitmap> sets;
  for (const auto& units : units_by_thread) {
    sets.push_back(new_bitmap());
    for (const int unit : units) hwloc_bitmap_set(sets.back().get(), static_cast<unsigned>(unit));
  }
#pragma omp parallel num_threads(static_cast <int>(sets.size()))
  {
    const auto thread = static_cast<size_t>(omp_get_thread_num());
    hwloc_set_cpubind(topology.get(), sets[thread].get(), HWLOC_CPUBIND_THREAD);
  }
}

std::vector<int> fast_nodes_near(const Machine& machine, const std::vector<int>& units) {
  std::vector<int> nodes;
  for (const FastMemory& memory : machine.fast_memory)
    if (std::ranges::find_first_of(memory.units, units) != memory.units.end()) nodes.push_back(memory.node);
  return nodes;
}

std::vector<int> prefer_fast_memory(const Machine& machine,
                                    const std::vector<std::vector<int>>& units_by_thread) {
  if (machine.fast_memory.empty()) return {};
  const Topology topology = load("");
  const Bitmap given = new_bitmap();
  hwloc_membind_policy_t policy{};
  const bool known = hwloc_get_membind(topology.get(), given.get(), &policy, HWLOC_MEMBIND_BYNODESET) == 0;
  if (known && policy != HWLOC_MEMBIND_DEFAULT && policy != HWLOC_MEMBIND_FIRSTTOUCH) return {};
  std::vector<Bitmap> sets;
  for (const auto& units : units_by_thread) {
    sets.push_back(new_bitmap());
    for (const int node : fast_nodes_near(machine, units))
      hwloc_bitmap_set(sets.back().get(), static_cast<unsigned>(node));
  }
  // Without HWLOC_MEMBIND_STRICT, BIND is the kernel's MPOL_PREFERRED, of one node; it belongs to a thread.
  std::vector<char> granted(sets.size());
#pragma omp parallel num_threads(static_cast <int>(sets.size()))
  {
    const auto thread = static_cast<size_t>(omp_get_thread_num());
    hwloc_bitmap_t const set = sets[thread].get();
    if (!hwloc_bitmap_iszero(set))
      granted[thread] = hwloc_set_membind(topology.get(), set, HWLOC_MEMBIND_BIND,
                                          HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET) == 0;
  }
  const Bitmap all = new_bitmap();
  for (size_t thread = 0; thread < sets.size(); ++thread)
    if (granted[thread]) hwloc_bitmap_or(all.get(), all.get(), sets[thread].get());
  return numbers_in(all.get());
}

std::vector<int> parse_list(const std::string& list) {
  const Bitmap set = new_bitmap();
  require(list.empty() || hwloc_bitmap_list_sscanf(set.get(), list.c_str()) == 0,
          "\"{}\" is no list of cores", list);
  return numbers_in(set.get());
}

std::string print_list(const std::vector<int>& numbers) {
  const Bitmap set = new_bitmap();
  for (const int number : numbers) hwloc_bitmap_set(set.get(), static_cast<unsigned>(number));
  char* text = nullptr;
  require(hwloc_bitmap_list_asprintf(&text, set.get()) >= 0, "hwloc cannot print a set of cores");
  const std::string list = text;
  std::free(text);
  return list;
}

}  // namespace convoy
