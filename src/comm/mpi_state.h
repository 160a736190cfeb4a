// Inside src/comm only: what an MpiCommunicator holds.
#pragma once

#include <mpi.h>

#include <algorithm>
#include <climits>
#include <string>

#include "comm/mpi.h"

namespace convoy {

struct MpiCommunicator::State {
  MPI_Comm comm = MPI_COMM_NULL;
  int rank = 0, size = 1;
  size_t largest = INT_MAX;  // elements of one message
  std::string host;
  // Messages were left unfinished, their memory may be gone: MPI is not to be polled any more, only to abort.
  bool given_up = false;

  // f(begin, count) for consecutive pieces that MPI can count; none for nothing.
  template <class F>
  void pieces(size_t elements, F f) const {
    for (size_t begin = 0; begin < elements; begin += largest)
      f(begin, static_cast<int>(std::min(largest, elements - begin)));
  }
  size_t count_pieces(size_t elements) const { return (elements + largest - 1) / largest; }
};

}  // namespace convoy
