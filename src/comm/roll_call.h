// Who is still there? A rank that has waited too long asks all others; ranks answer from within their own waits, so that
// one that is stopped, hangs in a loop, is dead or cut off does not. What it waits for may be a rank that waits as well,
// for that one: only the roll call tells them apart. Uses a communicator of its own; polled by whoever polls MPI.
#pragma once

#include <mpi.h>

#include <chrono>
#include <deque>
#include <vector>

namespace convoy {

class RollCall {
 public:
  explicit RollCall(MPI_Comm world);  // collective
  ~RollCall();
  RollCall(const RollCall&) = delete;
  RollCall& operator=(const RollCall&) = delete;

  void abandon() { called_ = true; }  // MPI is given up: nothing is freed
  // Answers those who ask; to be called from every wait. Looks a few times a second at most.
  void answer();
  // The ranks that have not answered within `patience`.
  std::vector<int> silent(std::chrono::milliseconds patience);

 private:
  void send(int to, int tag);
  bool receive(int tag, int& from);

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  std::chrono::steady_clock::time_point looked_{};
  std::deque<MPI_Request> sends_;  // of empty messages
  bool called_ = false;            // messages to the silent may never leave: MPI is not tidied up any more
};

}  // namespace convoy
