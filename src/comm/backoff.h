// How a thread waits for MPI without taking a core away from the threads that compute: it gives way a few
// hundred times, for the short waits of a fast network, then sleeps a little between polls. Not a limit on
// how long it waits.
#pragma once

#include <chrono>
#include <thread>

namespace convoy {

class Backoff {
 public:
  void pause() {
    if (++polls_ < 200)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(polls_ < 2000 ? 20 : 200));
  }

 private:
  int polls_ = 0;
};

}  // namespace convoy
