#include "cli/signals.h"

namespace convoy::cli {
namespace {

std::atomic<bool> stop_asked{false};
constexpr std::array caught{SIGTERM, SIGINT, SIGUSR1};

void on_signal(int number) {
  if (!stop_asked.exchange(true)) return;
  std::signal(number, SIG_DFL);
  std::raise(number);
}

}  // namespace

StopSignals::StopSignals() {
  stop_asked = false;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (size_t i = 0; i < caught.size(); ++i) ::sigaction(caught[i], &action, &former_[i]);
}

StopSignals::~StopSignals() {
  for (size_t i = 0; i < caught.size(); ++i) ::sigaction(caught[i], &former_[i], nullptr);
}

const std::atomic<bool>& StopSignals::asked() const { return stop_asked; }

}  // namespace convoy::cli
