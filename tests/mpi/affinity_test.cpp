// Placement on machines that are not there: two packages, hardware threads, odd numbers; and on the one that is.
#include "comm/affinity.h"

#include <hwloc.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>

#include "base/denormals.h"
#include "base/error.h"
#include "world.h"

using namespace convoy;
using namespace convoy::testing;
using Catch::Matchers::Contains;

namespace {

// PUs of core c are 2c and 2c+1; cores 0-7 on the first package.
Machine two_packages() { return read_machine("pack:2 numa:1 core:8 pu:2"); }

std::vector<Binding> all_bound_to(const std::vector<std::string>& units) {
  std::vector<Binding> bindings;
  for (const auto& list : units) bindings.push_back({static_cast<int>(bindings.size()), list});
  return bindings;
}

std::vector<std::string> lines_for(const Machine& machine, const std::vector<std::string>& units,
                                   const AffinityOptions& options = {}) {
  return describe(machine, "node1", plan_cores(machine, "node1", all_bound_to(units), options));
}

// hwloc's XML of a synthetic machine, some of whose NUMA nodes are of a kind.
std::string with_subtype(const std::string& synthetic, const std::string& kind,
                         const std::vector<unsigned>& nodes) {
  hwloc_topology_t topology = nullptr;
  hwloc_topology_init(&topology);
  REQUIRE(hwloc_topology_set_synthetic(topology, synthetic.c_str()) == 0);
  REQUIRE(hwloc_topology_load(topology) == 0);
  for (const unsigned node : nodes)
    hwloc_get_numanode_obj_by_os_index(topology, node)->subtype = ::strdup(kind.c_str());
  char* xml = nullptr;
  int length = 0;
  REQUIRE(hwloc_topology_export_xmlbuffer(topology, &xml, &length, 0) == 0);
  const std::string text = xml;
  hwloc_free_xmlbuffer(topology, xml);
  hwloc_topology_destroy(topology);
  return text;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("affinity: a machine is read with its cores, hardware threads and NUMA nodes") {
  const Machine machine = two_packages();
  REQUIRE(machine.cores.size() == 16);
  CHECK((machine.packages == 2 && machine.numa_nodes == 2 && machine.units() == 32));
  CHECK(machine.cores[9].units == std::vector<int>{18, 19});
  CHECK((machine.cores[9].numa == 1 && machine.cores[9].package == 1));
  CHECK_THAT(machine.summary(), Contains("2 packages, 2 NUMA nodes, 16 cores, 32 hardware threads"));
  CHECK(read_machine("pack:1 pu:3").cores.size() == 3);  // no cores named: each hardware thread is one
  CHECK(print_list(parse_list("0-3,8")) == "0-3,8");
  CHECK_THROWS_WITH(parse_list("one"), Contains("no list of cores"));
  CHECK_THROWS_WITH(read_machine("nonsense"), Contains("hwloc does not understand"));
}

TEST_CASE("affinity: fast memory of a Xeon Phi in flat mode is told apart and near its cores") {
  // Quadrants: four ordinary nodes and four of MCDRAM, 16 cores each.
  const Machine machine = read_machine(
      with_subtype("group:4 [numa(memory=24GB)] [numa(memory=4GB)] core:16 pu:4", "MCDRAM", {1, 3, 5, 7}));
  CHECK((machine.cores.size() == 64 && machine.numa_nodes == 4));
  REQUIRE(machine.fast_memory.size() == 4);
  CHECK(machine.fast_memory[1].node == 3);
  CHECK(machine.fast_memory[1].units.size() == 64);
  CHECK_THAT(machine.summary(), Contains("4 NUMA nodes") && Contains("of them MCDRAM"));
  CHECK(fast_nodes_near(machine, parse_list("0-63")) == std::vector<int>{1});
  CHECK(fast_nodes_near(machine, parse_list("60-70")) == std::vector<int>{1, 3});
  CHECK(fast_nodes_near(two_packages(), parse_list("0-3")).empty());
  // One rank a quadrant computes on all its cores; one rank of all keeps two for images and messages.
  CHECK(lines_for(machine, {"0-63", "64-127", "128-191", "192-255"})[3] ==
        "rank 3 on node1: cores 48-63 (NUMA 6), 16 threads");
  CHECK(lines_for(machine, {"0-255"})[0] == "rank 0 on node1: cores 0-63 (NUMA 0,2,4,6), 62 threads");
  CHECK(prefer_fast_memory(two_packages(), {{0}}).empty());  // it has none
}

TEST_CASE("affinity: fast memory in cache mode is seen") {
  // The ordinary node behind a cache of its own, as hwloc writes it down.
  std::string xml = with_subtype("[numa(memory=96GB)] core:4 pu:1", "", {});
  const size_t begin = xml.find("<object type=\"NUMANode\""), end = xml.find("</object>", begin) + 9;
  const std::string node = xml.substr(begin, end - begin);
  const size_t sets = node.find("cpuset"), sets_end = node.find(" gp_index");
  xml.replace(begin, node.size(),
              "<object type=\"MemCache\" " + node.substr(sets, sets_end - sets) +
                  " gp_index=\"99\" cache_size=\"17179869184\" depth=\"1\" cache_linesize=\"64\" "
                  "cache_associativity=\"1\" cache_type=\"0\">" +
                  node + "</object>");
  const Machine machine = read_machine(xml);
  CHECK((machine.fast_memory.empty() && machine.memory_cache_bytes == uint64_t{16} << 30));
  CHECK_THAT(machine.summary(), Contains("behind 16.0 GiB of fast memory as a cache"));
}

TEST_CASE("affinity: unbound ranks split the host, equal sets are split among those who hold them") {
  const Machine machine = two_packages();
  CHECK(lines_for(machine, {"0-31"}) == Lines{"rank 0 on node1: cores 0-15 (NUMA 0-1), 16 threads"});
  CHECK(lines_for(machine, {"0-31", "0-31"}) == Lines{"rank 0 on node1: cores 0-7 (NUMA 0), 8 threads",
                                                      "rank 1 on node1: cores 8-15 (NUMA 1), 8 threads"});
  // A remainder stays free, so that every rank has as many threads.
  const Lines three = lines_for(machine, {"0-31", "0-31", "0-31"});
  CHECK(three[1] == "rank 1 on node1: cores 5-9 (NUMA 0-1), 5 threads");
  // mpirun's own choice for more than two ranks: each pair is bound to one package.
  const Lines sockets = lines_for(machine, {"0-15", "16-31", "0-15", "16-31"});
  CHECK(sockets[2] == "rank 2 on node1: cores 4-7 (NUMA 0), 4 threads");
  CHECK(sockets[3] == "rank 3 on node1: cores 12-15 (NUMA 1), 4 threads");
  // Separate sets are kept; the smallest decides on the threads, unless fewer are asked for.
  CHECK(lines_for(machine, {"0-7", "8-31"})[1] == "rank 1 on node1: cores 4-15 (NUMA 0-1), 4 threads");
  CHECK(lines_for(machine, {"0-7", "8-31"}, {.threads = 2})[0] ==
        "rank 0 on node1: cores 0-3 (NUMA 0), 2 threads");
}

TEST_CASE("affinity: what shares a core is refused with the map, or allowed and not bound") {
  const Machine machine = two_packages();
  CHECK_THROWS_WITH(lines_for(machine, {"0-9", "8-31"}), Contains("overlap on a core") &&
                                                             Contains("--bind-to none") &&
                                                             Contains("\n  rank 0 on node1: cores 0-4") &&
                                                             Contains("\n  rank 1 on node1: cores 4-15"));
  CHECK_THROWS_WITH(lines_for(machine, {"0", "1"}),
                    Contains("overlap on a core"));  // two threads of one core
  CHECK_THROWS_WITH(lines_for(machine, Lines(17, "0-31")),
                    Contains("17 ranks share the 16 cores of node1") && Contains("at most 16"));
  CHECK_THROWS_WITH(lines_for(machine, {"0-15", "16-31"}, {.threads = 9}),
                    Contains("9 threads do not fit the 8 cores of rank 0") && Contains("--threads 8"));
  CHECK_THROWS_WITH(lines_for(machine, {"99"}), Contains("may use no core"));
  const auto exit_code = [&] {
    try {
      lines_for(machine, {"0", "1"});
    } catch (const Error& error) {
      return error.code();
    }
    return Exit::ok;
  };
  CHECK(exit_code() == Exit::usage);

  const CorePlan crowded =
      plan_cores(machine, "node1", all_bound_to(Lines(17, "0-31")), {.allow_overlap = true});
  CHECK((!crowded.bind && crowded.threads == 1));
  REQUIRE(crowded.warnings.size() == 1);
  CHECK_THAT(crowded.warnings[0], Contains("--oversubscribe"));
  const CorePlan piled =
      plan_cores(machine, "node1", all_bound_to({"0-1", "2-3"}), {.threads = 4, .allow_overlap = true});
  CHECK((!piled.bind && piled.threads == 4));
}

TEST_CASE("affinity: one core of many is worth a warning") {
  const CorePlan plan = plan_cores(two_packages(), "node1", all_bound_to({"0-1", "2-3"}), {});
  CHECK((plan.bind && plan.threads == 1));
  REQUIRE(plan.warnings.size() == 1);
  CHECK_THAT(plan.warnings[0], Contains("bound rank 0 to 1 of 16 cores") && Contains("8 cores"));
  CHECK(plan_cores(two_packages(), "node1", all_bound_to({"0-15", "16-31"}), {}).warnings.empty());
}

TEST_CASE("affinity: ranks dealt out to hosts in turn are told so") {
  CHECK(rank_order_advice({"a", "a", "b", "b"}).empty());
  CHECK(rank_order_advice({"a", "b"}).empty());
  CHECK_THAT(rank_order_advice({"a", "b", "a", "b"}), Contains("--map-by core"));
}

TEST_CASE("affinity: this machine's ranks are placed, and every rank sees the same map") {
  const Affinity affinity = place(world(), {.allow_overlap = true});
  CHECK(affinity.threads >= 1);
  CHECK_FALSE(affinity.machine.cores.empty());
  REQUIRE(affinity.map.size() == static_cast<size_t>(world().size()));
  for (int rank = 0; rank < world().size(); ++rank)
    CHECK_THAT(affinity.map[static_cast<size_t>(rank)], Contains("rank " + std::to_string(rank) + " on"));
  std::string all;
  for (const std::string& line : affinity.map) all += line + "\n";
  for (const std::string& other : world().gather(all)) CHECK(other == all);
}

TEST_CASE("affinity: every thread that computes flushes denormals, or none, whatever it did before") {
#if defined(__SSE2__) || defined(__aarch64__)
  constexpr bool can = true;
#else
  constexpr bool can = false;
#endif
  for (const bool flush : {true, false, true, false}) {
    const Affinity affinity = place(world(), {.threads = 3, .allow_overlap = true, .flush_denormals = flush});
    REQUIRE(affinity.threads == 3);
    std::atomic<int> flushing = 0;
#pragma omp parallel
    flushing += flushes_denormals() ? 1 : 0;
    CHECK(flushing == (flush && can ? 3 : 0));
    bool said = false;
    for (const std::string& line : affinity.warnings) said |= line.find("denormal") != std::string::npos;
    CHECK(said == (flush && !can));
  }
}
