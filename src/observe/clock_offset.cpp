#include "observe/clock_offset.h"

#include <span>

namespace convoy {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int rounds = 8;

void send(Communicator& comm, int peer, const double& value) {
  comm.start_exchange(peer, std::as_bytes(std::span(&value, 1)), {})->wait();
}

double receive(Communicator& comm, int peer) {
  double value = 0;
  comm.start_exchange(peer, {}, std::as_writable_bytes(std::span(&value, 1)))->wait();
  return value;
}

}  // namespace

double seconds_of(Clock::time_point moment) {
  return std::chrono::duration<double>(moment.time_since_epoch()).count();
}

ClockOffset measure_clock_offset(Communicator& comm) {
  ClockOffset offset;
  for (int peer = 1; peer < comm.size(); ++peer) {
    if (comm.rank() == peer) {
      for (int round = 0; round < rounds; ++round) {
        receive(comm, 0);
        send(comm, 0, seconds_of(Clock::now()));
      }
      offset.seconds = receive(comm, 0);
    } else if (comm.rank() == 0) {
      double fastest = 0, ahead = 0;
      for (int round = 0; round < rounds; ++round) {
        const double asked = seconds_of(Clock::now());
        send(comm, peer, asked);
        const double theirs = receive(comm, peer), trip = seconds_of(Clock::now()) - asked;
        if (round > 0 && trip >= fastest) continue;
        fastest = trip;
        ahead = theirs - (asked + trip / 2);
      }
      send(comm, peer, ahead);
    }
  }
  offset.at = Clock::now();
  return offset;
}

double SharedClock::seconds(Clock::time_point moment, double origin_seconds) const {
  const double span = seconds_of(second_.at) - seconds_of(first_.at);
  const double share = span > 0 ? (seconds_of(moment) - seconds_of(first_.at)) / span : 0.0;
  return seconds_of(moment) - (first_.seconds + share * (second_.seconds - first_.seconds)) - origin_seconds;
}

}  // namespace convoy
