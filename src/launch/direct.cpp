// No scheduler: mpirun in this shell, one step after the other, seeds in turn. SIGTERM, SIGINT and SIGUSR1 to the script
// reach convoy as one SIGUSR1: a checkpoint, then exit code 85; the same command goes on.
#include <fmt/format.h>

#include "launch/scheduler.h"
#include "launch/shell.h"

namespace convoy {
namespace {

class Direct : public Scheduler {
 public:
  using Scheduler::Scheduler;
  std::string directives(const Step&) const override { return ""; }
  std::string seed() const override { return ""; }
  bool signals_shell() const override { return true; }
  std::string after() const override { return ""; }

  std::string submit(const std::vector<Step>& steps) const override {
    std::string text =
        comment(
            "A signal to this shell goes to the step that runs: training ends at a checkpoint, other steps at "
            "once, with all that they have started.") +
        R"(set -m
trap 'again=yes; kill "${stop[@]}" 2>/dev/null' USR1 TERM INT
run() {
  bash "$1" &
  stop=(-TERM -- "-$!")
  if [ "$1" = "$train" ]; then stop=(-USR1 "$!"); fi
  again=yes
  while [ "$again" = yes ]; do
    again=no code=0
    wait "$!" || code=$?
  done
  [ "$code" -eq 0 ] || exit "$code"
}
)";
    text += fmt::format("train={}\n", quoted(script_of("train")));
    for (const Step& step : steps)
      text += fmt::format("echo {}\nrun {}\n", step.kind,
                          step.kind == "train" ? "\"$train\"" : quoted(script_of(step.kind)));
    return text;
  }

  std::string submit_by_hand(const std::string& script) const override { return "bash " + script; }
};

}  // namespace

std::unique_ptr<Scheduler> make_direct(const Site& site, const LaunchRequest& request) {
  return std::make_unique<Direct>(site, request);
}

}  // namespace convoy
