#include "train/elastic.h"

#include "base/error.h"

namespace convoy {
namespace {

// What the program itself says, and would say again. Not Exit::failed: the ranks that miss another one end so, too.
bool is_last_word(int code) {
  return code == static_cast<int>(Exit::ok) || code == static_cast<int>(Exit::diverged) ||
         code == static_cast<int>(Exit::usage) || code == static_cast<int>(Exit::time_limit);
}

}  // namespace

int ranks_left(int workers, int ranks) {
  int left = 1;
  while (left * 2 < ranks && workers % (left * 2) == 0) left *= 2;
  return left;
}

int run_elastic(const ElasticOptions& options, const LaunchFn& launch, const StepsFn& saved,
                const AskedFn& stopped, const PauseFn& pause, const Log& log) {
  int ranks = options.ranks, idle = 0;
  for (int restarts = 0;; ++restarts) {
    const int64_t before = saved();
    const int code = launch(ranks);
    if (is_last_word(code) || stopped()) return code;
    const int64_t done = saved();
    const bool busy = code == static_cast<int>(Exit::temporary);
    idle = done > before ? 0 : idle + 1;
    // Before anything was saved an error of the program's own is no lost rank.
    if ((busy || code == static_cast<int>(Exit::failed)) && restarts == 0 && idle > 0) return code;
    require(idle < 3,
            "given up: three launches in a row ended (the last with exit code {}) before another "
            "checkpoint; see the log, or make checkpoints more often (--checkpoint-steps)",
            code);
    require(restarts < options.restarts,
            "given up after {} restarts, at step {}: the machine is losing ranks; start the "
            "same command again to go on",
            restarts, done);
    if (busy)
      pause();
    else
      ranks = ranks_left(options.workers, ranks);
    log.warn(
        "the job ended with exit code {} at step {} or later: restart {} of {}, on {} rank{} from step {}",
        code, done, restarts + 1, options.restarts, ranks, ranks == 1 ? "" : "s", done);
  }
}

}  // namespace convoy
