#include <mpi.h>

#include "comm/mpi.h"
#include "comm/mpi_check.h"

namespace convoy {

SimulatedSession::SimulatedSession() {
  mpi_check(MPI_Init(nullptr, nullptr), "start");
  world_ = std::make_unique<MpiCommunicator>(INT_MAX, MpiCommunicator::Waits::inside_mpi);
}

SimulatedSession::~SimulatedSession() {
  world_.reset();
  MPI_Finalize();
}

}  // namespace convoy
