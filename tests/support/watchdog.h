// Ends a Catch case that hangs: one that neither ends nor asserts anything for `patience` is named with its rank on
// standard error, and the process is ended, upon which the launcher ends the other ranks. Include it in the one file of
// a rung that defines CATCH_CONFIG_RUNNER; a Watchdog lives while the session runs.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>

namespace convoy::testing {

class Watchdog {
 public:
  Watchdog(int rank, std::chrono::milliseconds patience)
      : thread_([rank, patience](const std::stop_token& stop) { watch(rank, patience, stop); }) {}

  static void beat(const std::string& now = "") {
    const std::lock_guard lock(pulse().mutex);
    if (!now.empty()) pulse().what = now;
    pulse().last = Clock::now();
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Pulse {  // written by the listener, read by the watchdog
    std::mutex mutex;
    std::string what = "start";
    Clock::time_point last = Clock::now();
  };
  static Pulse& pulse() {
    static Pulse one;
    return one;
  }
  static void watch(int rank, std::chrono::milliseconds patience, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      const std::lock_guard lock(pulse().mutex);
      if (Clock::now() - pulse().last < patience) continue;
      std::fprintf(stderr, "rank %d hangs in the case \"%s\"\n", rank, pulse().what.c_str());
      ::_exit(3);
    }
  }
  std::jthread thread_;
};

struct WatchdogListener : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    TestEventListenerBase::testCaseStarting(info);
    Watchdog::beat(info.name);
  }
  bool assertionEnded(const Catch::AssertionStats&) override {
    Watchdog::beat();
    return true;
  }
};
CATCH_REGISTER_LISTENER(WatchdogListener)

}  // namespace convoy::testing
