// One rank of a simulation: the program's own reducer over the program's own communicator, compiled against SimGrid's MPI,
// fed by a plan that computes nothing and knows when each bucket would be complete. Its arithmetic is real; without
// Scenario::sums_file all ranks share one memory, folded onto a few pages, since only the time is asked for.
#pragma once

#include <memory>

#include "simulate/scenario.h"
#include "simulate/smpi/board.h"

namespace convoy::simulate {

struct Together {  // of all ranks; one runs at a time
  explicit Together(const Scenario& s);
  const Scenario& scenario;
  Board board;
  Answer answer;
  void* phantom =
      nullptr;  // what stands for every rank's gradients and scratch; the simulator's until the process ends
};

void simulate_rank(Together& together, int rank);

}  // namespace convoy::simulate
