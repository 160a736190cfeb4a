#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include "base/colour.h"
#include "comm/launch.h"
#include "comm/mpi.h"
#include "comm/mpi_check.h"
#include "comm/mpi_state.h"

namespace convoy {
namespace {

using std::chrono::milliseconds;

// True if every rank comes here within the time: then all have failed, and none waits for another. MPI_COMM_WORLD
// itself is used for nothing else, so this barrier meets no other collective.
bool everyone_is_here(milliseconds patience) {
  MPI_Request request;
  if (MPI_Ibarrier(MPI_COMM_WORLD, &request) != MPI_SUCCESS) return false;
  const auto end = std::chrono::steady_clock::now() + patience;
  int done = 0;
  for (Backoff backoff; !done && std::chrono::steady_clock::now() < end; backoff.pause())
    if (MPI_Test(&request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) return false;
  return done != 0;
}

}  // namespace

MpiSession::MpiSession(int& argc, char**& argv) : exceptions_(std::uncaught_exceptions()) {
  int provided = MPI_THREAD_SINGLE, size = 1;
  mpi_check(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided), "start");
  mpi_check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "set the error handler");
  world_ = std::make_unique<MpiCommunicator>();
  const std::string library = world_->library();
  mpi_check(MPI_Comm_size(MPI_COMM_WORLD, &size), "tell the number of ranks");
  const auto claim = launch_claim([](const char* name) -> const char* { return std::getenv(name); });
  if (size == 1 && claim && claim->ranks > 1) {
    world_.reset();
    MPI_Finalize();
    if (claim->rank == 0) throw Error(launch_mismatch(*claim, library), Exit::usage);
    // Rank 0, by the launcher's count, speaks for all; a launcher ends the job when the first process fails.
    std::this_thread::sleep_for(std::chrono::seconds(2));
    std::_Exit(static_cast<int>(Exit::usage));
  }
  if (provided < MPI_THREAD_SERIALIZED) {
    world_.reset();
    MPI_Finalize();
    fail(
        "{} grants thread level {} where convoy needs MPI_THREAD_SERIALIZED ({}): use an MPI built with "
        "threads",
        library, provided, static_cast<int>(MPI_THREAD_SERIALIZED));
  }
}

MpiSession::~MpiSession() {
  if (!world_) return;
  // Unwinding past the session: MPI_Finalize would wait for ranks that do not fail.
  if (std::uncaught_exceptions() > exceptions_) MPI_Abort(MPI_COMM_WORLD, static_cast<int>(Exit::failed));
  world_.reset();
  MPI_Finalize();
}

void MpiSession::abort_job(Exit code, const std::string& message) {
  const int rank = world_->rank(), size = world_->size(), status = static_cast<int>(code);
  // Lower ranks are given the time to speak first, and a failure of one rank the time to show that it is of
  // all.
  const milliseconds patience(500 + 100 * std::min(rank, 40));
  const bool given_up = world_->state_->leftovers.requests;
  if (given_up) std::this_thread::sleep_for(patience);
  const bool together = size == 1 || (!given_up && everyone_is_here(patience));
  if (!together || rank == 0) {
    const std::string who = size == 1 ? "" : fmt::format("rank {} of {} on {}: ", rank, size, world_->host());
    print_error(who + message);
    std::fflush(nullptr);
  }
  if (!together) {
    std::this_thread::sleep_for(
        milliseconds(50));  // a launcher told to kill may not forward what its pipes still hold
    MPI_Abort(MPI_COMM_WORLD, status);
  }
  MPI_Barrier(MPI_COMM_WORLD);  // rank 0 has spoken
  world_.reset();
  MPI_Finalize();
  std::_Exit(status);
}

}  // namespace convoy
