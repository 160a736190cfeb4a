// A Cluster as a SimGrid platform file: one host a node with as many cores as ranks, full-duplex links of half the
// network's latency each, so that a message between nodes pays the whole; ranks of a node meet on its loopback, which every
// pair has to itself (NVLink, shared memory). With nodes.per_switch a two-level fat tree: every lower switch has
// `uplinks` links upwards, chosen by the destination; messages that leave the switch pay the latency twice.
// Written for version 4.1 of the format (SimGrid 3.25 and later).
#pragma once

#include <string>
#include <vector>

#include "simulate/cluster.h"

namespace convoy::simulate {

std::string platform_xml(const Cluster& cluster, Basis basis, int nodes);

// Settings of SimGrid under which a message of n bytes takes latency + n/bandwidth and nothing else: its defaults describe
// one Ethernet cluster of the 2010s.
const std::vector<std::string>& plain_network();

}  // namespace convoy::simulate
