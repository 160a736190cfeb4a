// Which of cuDNN's engines computes an operation. By default the first of the heuristics' list that builds: a function of
// the operation, cuDNN, the GPU and its driver. With CONVOY_TIME_ENGINES=N the fastest of the first N by a clock on the GPU,
// among those that the Demands allow (the repeatable ones: what is timed is never what may give other bits). A clock is noise,
// and another engine rounds otherwise, so a choice is made once: the first process that times an operation keeps its plan in
// the cache (plan_cache.h), and all that read this folder, ranks and later runs, take it. What holds: one folder, one engine,
// one set of bits. Folders of one's own may hold other choices; so the chosen engines' digest goes into the device's `library`,
// which is part of a run's fingerprint: ranks that differ in it claim "repeatable", and a resumed run that does says so.
// Free of CUDA's and cuDNN's types.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "backends/cudnn/library_plan.h"
#include "backends/cudnn/plan_cache.h"

namespace convoy::cudnn {

// CONVOY_TIME_ENGINES: 2 ... 16; 1, nothing timed, where it is absent.
int engines_to_time();

// The best of candidates that are offered in the heuristics' order. Without a timer the first one; with one, the fastest of
// the first `tried` that run, where a later one must be faster by more than what a clock's noise is.
class Choice {
 public:
  Choice(const Timer& timer, int tried) : timer_(timer), left_(timer ? tried : 1) {}
  bool offer(std::unique_ptr<LibraryPlan> candidate);               // true: no more are wanted
  std::unique_ptr<LibraryPlan> take() { return std::move(best_); }  // none: nothing was offered that runs
  const std::string& reason() const { return reason_; }             // why the last one did not run

 private:
  const Timer& timer_;
  int left_;
  std::unique_ptr<LibraryPlan> best_;
  double best_time_ = std::numeric_limits<double>::infinity();
  std::string reason_;
};

// The plans that were chosen by a clock, as the cache has them: equal digests, equal engines.
class ChosenEngines {
 public:
  void add(const std::string& operation, const std::string& engine) { engines_[operation] = engine; }
  std::string digest() const;  // "": none was

 private:
  std::map<std::string, std::string> engines_;
};

struct PlanMaker {
  std::function<std::unique_ptr<LibraryPlan>(const Timer& timer, int tried)> build;  // or throws
  std::function<std::unique_ptr<LibraryPlan>(const std::string& serialized)>
      restore;  // none: cuDNN refuses it
  Timer timer;
};

// `operation`: in words, with all that is demanded of its plan. From the cache, or made and kept there; what another process
// has kept meanwhile counts. `tried` is 1 for plans that cannot be serialized: no choice of theirs could be kept.
std::unique_ptr<LibraryPlan> choose_plan(const std::string& operation, int tried, const PlanMaker& maker,
                                         PlanCache& cache, ChosenEngines& chosen);

}  // namespace convoy::cudnn
