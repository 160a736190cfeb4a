// How far another rank's steady clock is ahead of rank 0's: rank 0 asks each rank in turn a few times, and takes the answer
// that came back fastest as read half way (Cristian's algorithm); half that round trip bounds the error. Collective.
#pragma once

#include <chrono>

#include "port/communicator.h"

namespace convoy {

struct ClockOffset {
  std::chrono::steady_clock::time_point at{};  // this rank's clock
  double seconds = 0;                          // this rank's clock less rank 0's
};
ClockOffset measure_clock_offset(Communicator& comm);

// Seconds on rank 0's clock since its `origin`, of a moment on this rank's: between two measurements clocks drift evenly.
class SharedClock {
 public:
  SharedClock(const ClockOffset& first, const ClockOffset& second) : first_(first), second_(second) {}
  double seconds(std::chrono::steady_clock::time_point moment, double origin_seconds) const;

 private:
  ClockOffset first_, second_;
};

double seconds_of(std::chrono::steady_clock::time_point moment);  // since the clock's own epoch

}  // namespace convoy
