// A plan on random images, to be timed: what `convoy bench`, `convoy calibrate` and unequal shares measure of a backend.
// Owns its arena and batch; the backend must outlive it.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "port/backend.h"
#include "train/experiment.h"

namespace convoy::cli {

template <class F>
double seconds_of(F work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Trial {
 public:
  // Of a run of the experiment's minibatch, for 1,000 classes where it names none.
  Trial(const Experiment& experiment, Backend& backend, Mode mode, int states,
        const CompileOptions& options = {});
  // Seconds of one run, on images of its own or on a loader's.
  double run(const ReadyFn& ready = [](BucketId, Event) {});
  double run(
      Batch batch, const ReadyFn& ready = [](BucketId, Event) {});
  const Program& program() const { return program_; }
  const Plan& plan() const { return *plan_; }
  Arena& arena() { return arena_; }

 private:
  Program program_;
  Arena arena_;
  std::unique_ptr<Plan> plan_;
  std::vector<float> pixels_;
  std::vector<int32_t> labels_;
};

}  // namespace convoy::cli
