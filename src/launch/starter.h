// The words before a program's name that start it on every rank, pinned: srun, Open MPI's mpirun, MPICH's mpiexec, Cray's
// PALS, LSF's jsrun, flux run. Ranks are numbered node by node on all of them: the fixed-order tree exchanges its largest
// messages between neighbours.
#pragma once

#include <string>
#include <vector>

#include "launch/site.h"

namespace convoy {

// `groups`: of one step; two or more make a job of several kinds of node (srun --het-group, or one flat list of slots).
// `program`: the pieces from the program's name on, the same for every rank.
std::vector<std::string> start_words(const Site& site, const std::vector<NodeGroup>& groups,
                                     const std::vector<std::string>& program);

}  // namespace convoy
