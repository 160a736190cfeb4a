// Starts convoy-simulate, the program that is linked with SimGrid's MPI, and takes its answer. Where the build found no
// SimGrid the error says what to install. Files pass through a temporary folder.
#pragma once

#include <string>

#include "simulate/cluster.h"
#include "simulate/scenario.h"

namespace convoy::simulate {

Answer run(const Scenario& scenario, const Cluster& cluster, Basis basis);

// The spans of an answer in the Chrome trace event format, a process a rank.
std::string trace_json(const Answer& answer);

}  // namespace convoy::simulate
