// Inside src/comm only: what an MpiCommunicator holds.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <optional>
#include <string>
#include <vector>

#include "comm/blocks.h"
#include "comm/mpi.h"
#include "comm/roll_call.h"

namespace convoy {

// What exchanges and sums that were given up leave behind.
struct Leftovers {
  // Perhaps a message that nobody takes: the communicator is never freed, for the next one could get its identity, and
  // the message with it.
  bool messages = false;
  // Requests that did not end, whose memory may be gone: MPI is not to be polled any more, only to abort.
  bool requests = false;
};

struct MpiCommunicator::State {
  explicit State(size_t message_bytes) : blocks(message_bytes, 64) {}  // more than are ever under way

  MpiCommunicator* self = nullptr;
  MPI_Comm comm = MPI_COMM_NULL;
  int rank = 0, size = 1;
  size_t largest = INT_MAX;  // elements of one message
  bool waits_inside = false;
  std::string host;
  Leftovers leftovers;
  Blocks blocks;  // the messages' handles
  std::optional<RollCall> roll_call;
  std::chrono::milliseconds limit{0};  // of a control collective's wait; 0: none
  std::vector<std::string> hosts;      // by rank, once there is a limit

  void finish(MPI_Request request, const char* what);

  // f(begin, count) for consecutive pieces that MPI can count; none for nothing.
  template <class F>
  void pieces(size_t elements, F f) const {
    for (size_t begin = 0; begin < elements; begin += largest)
      f(begin, static_cast<int>(std::min(largest, elements - begin)));
  }
  size_t count_pieces(size_t elements) const { return (elements + largest - 1) / largest; }
};

}  // namespace convoy
