// Where simulated ranks meet outside simulated time: they are threads of control of one process, of which one runs at a
// time, so that what a start-up gathers needs no messages (with thousands of ranks the simulator would spend its time on
// those). Rank by rank texts, and a barrier that costs no simulated time.
#pragma once

#include <simgrid/s4u.hpp>
#include <string>
#include <vector>

namespace convoy::simulate {

class Board {
 public:
  explicit Board(int ranks)
      : texts_(static_cast<size_t>(ranks)),
        barrier_(simgrid::s4u::Barrier::create(static_cast<unsigned>(ranks))) {}

  void meet() { barrier_->wait(); }
  std::vector<std::string> gather(int rank, const std::string& mine) {
    texts_[static_cast<size_t>(rank)] = mine;
    meet();
    std::vector<std::string> all = texts_;
    meet();
    return all;
  }

 private:
  std::vector<std::string> texts_;
  simgrid::s4u::BarrierPtr barrier_;
};

}  // namespace convoy::simulate
