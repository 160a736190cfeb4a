// SIGTERM, SIGINT and SIGUSR1 ask for a checkpoint and an orderly end (exit code 85); a second one ends at once. A signal
// handler can reach nothing but a global, so here is the program's only one. Former handlers come back at the end.
#pragma once

#include <csignal>

#include <array>
#include <atomic>

namespace convoy::cli {

class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  const std::atomic<bool>& asked() const;

 private:
  std::array<struct sigaction, 3> former_{};
};

}  // namespace convoy::cli
