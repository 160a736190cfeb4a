#include "comm/roll_call.h"

#include <algorithm>

#include "comm/mpi_check.h"

namespace convoy {
namespace {

constexpr int question = 1, reply = 2;
constexpr std::chrono::milliseconds between_looks(200);

}  // namespace

RollCall::RollCall(MPI_Comm world) {
  mpi_check(MPI_Comm_dup(world, &comm_), "duplicate the communicator");
  mpi_check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "set the error handler");
  mpi_check(MPI_Comm_rank(comm_, &rank_), "tell the rank");
  mpi_check(MPI_Comm_size(comm_, &size_), "tell the number of ranks");
}

RollCall::~RollCall() {
  int finalized = 0;
  if (called_ || MPI_Finalized(&finalized) != MPI_SUCCESS || finalized) return;
  for (MPI_Request& send : sends_) MPI_Wait(&send, MPI_STATUS_IGNORE);
  MPI_Comm_free(&comm_);
}

void RollCall::send(int to, int tag) {
  mpi_check(MPI_Isend(nullptr, 0, MPI_BYTE, to, tag, comm_, &sends_.emplace_back(MPI_REQUEST_NULL)),
            "send a sign of life");
}

bool RollCall::receive(int tag, int& from) {
  int there = 0;
  MPI_Status status;
  mpi_check(MPI_Iprobe(MPI_ANY_SOURCE, tag, comm_, &there, &status), "look for a sign of life");
  if (!there) return false;
  from = status.MPI_SOURCE;
  mpi_check(MPI_Recv(nullptr, 0, MPI_BYTE, from, tag, comm_, MPI_STATUS_IGNORE), "receive a sign of life");
  return true;
}

void RollCall::answer() {
  const auto now = std::chrono::steady_clock::now();
  if (size_ == 1 || now - looked_ < between_looks) return;
  looked_ = now;
  for (int asker = 0; receive(question, asker);) send(asker, reply);
}

std::vector<int> RollCall::silent(std::chrono::milliseconds patience) {
  called_ = true;
  std::vector<int> waiting_for;
  for (int rank = 0; rank < size_; ++rank) {
    if (rank == rank_) continue;
    waiting_for.push_back(rank);
    send(rank, question);
  }
  const auto end = std::chrono::steady_clock::now() + patience;
  for (Backoff backoff; !waiting_for.empty() && std::chrono::steady_clock::now() < end; backoff.pause()) {
    for (int from = 0; receive(reply, from);) std::erase(waiting_for, from);
    answer();
  }
  return waiting_for;
}

}  // namespace convoy
