#include "simulate/platform.h"

#include <fmt/format.h>

#include "base/markup.h"

namespace convoy::simulate {

std::string platform_xml(const Cluster& cluster, Basis basis, int nodes) {
  std::string topology;
  int hosts = nodes;
  if (cluster.nodes_per_switch > 0) {
    const int below = cluster.nodes_per_switch, switches = (nodes + below - 1) / below;
    hosts = below * switches;
    topology = fmt::format(" topology=\"FAT_TREE\" topo_parameters=\"2;{},{};1,{};1,1\"", below, switches,
                           cluster.uplinks);
  }
  return fmt::format(
      "<?xml version='1.0'?>\n<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
      "<platform version=\"4.1\">\n  <!-- {} -->\n"
      "  <cluster id=\"cluster\" prefix=\"node-\" suffix=\"\" radical=\"0-{}\" speed=\"1Gf\" core=\"{}\""
      " bw=\"{:.9g}Bps\" lat=\"{:.9g}s\" sharing_policy=\"SPLITDUPLEX\""
      " loopback_bw=\"{:.9g}Bps\" loopback_lat=\"{:.9g}s\"{}/>\n</platform>\n",
      escape_markup(cluster.name), hosts - 1, cluster.ranks_per_node,
      cluster.number("network.bandwidth", basis), cluster.number("network.latency", basis) / 2,
      cluster.number("inside.bandwidth", basis), cluster.number("inside.latency", basis), topology);
}

const std::vector<std::string>& plain_network() {
  static const std::vector<std::string> settings{"network/model:SMPI",
                                                 "smpi/bw-factor:0:1.0",
                                                 "smpi/lat-factor:0:1.0",
                                                 "network/crosstraffic:0",
                                                 "network/TCP-gamma:0",
                                                 "network/weight-S:0",
                                                 "smpi/send-is-detached-thresh:0",
                                                 "smpi/async-small-thresh:0",
                                                 "smpi/simulate-computation:no",
                                                 "contexts/stack-size:512",
                                                 "surf/precision:1e-10"};
  return settings;
}

}  // namespace convoy::simulate
