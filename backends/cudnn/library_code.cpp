#include "backends/cudnn/library_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "backends/cudnn/cuda_check.h"
#include "backends/cudnn/cuda_memory.h"
#include "backends/cudnn/legacy.h"
#include "backends/cudnn/operands.h"

namespace convoy::cudnn {
namespace {

Memory constants_of(const LibraryPlan& plan) {
  const std::vector<float> constants = plan.constants();
  Memory memory = make_memory(constants.size() * sizeof(float), fused::Place::device);
  cuda_check(cudaMemcpy(memory.get(), constants.data(), constants.size() * sizeof(float), cudaMemcpyDefault),
             "take a plan's constants");
  return memory;
}

class LibraryCode final : public fused::Code {
 public:
  LibraryCode(std::unique_ptr<LibraryPlan> plan, const fused::Bound& bound, int tried)
      : plan_(std::move(plan)), bound_(bound), tried_(tried), constants_(constants_of(*plan_)) {}
  std::string implementation() const override {
    return "cudnn:" + plan_->engine() + (tried_ > 1 ? fmt::format(" (fastest of {})", tried_) : "");
  }
  size_t workspace_bytes() const override { return plan_->workspace_bytes(); }
  void enqueue(fused::Queue& queue, std::byte* workspace) override {
    plan_->execute(static_cast<CudaQueue&>(queue).library(), {bound_.address, constants_.get(), workspace});
  }

 private:
  std::unique_ptr<LibraryPlan> plan_;
  fused::Bound bound_;
  int tried_;  // engines that were timed
  Memory constants_;
};

struct Clock {
  Clock() {
    cuda_check(cudaEventCreate(&begin), "make an event");
    cuda_check(cudaEventCreate(&end), "make an event");
  }
  ~Clock() {
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  cudaEvent_t begin = nullptr, end = nullptr;
};

// The least of a few runs behind one that warms up.
double milliseconds_of(LibraryPlan& plan, const fused::Bound& bound, CudaQueue& queue) {
  constexpr int runs = 3;
  const Memory constants = constants_of(plan),
               workspace = make_memory(plan.workspace_bytes(), fused::Place::device);
  const DeviceMemory memory{bound.address, constants.get(), workspace.get()};
  const Clock clock;
  float least = std::numeric_limits<float>::max();
  for (int run = 0; run <= runs; ++run) {
    cuda_check(cudaEventRecord(clock.begin, queue.stream()), "record an event");
    plan.execute(queue.library(), memory);
    cuda_check(cudaEventRecord(clock.end, queue.stream()), "record an event");
    queue.finish();
    float took = 0;
    cuda_check(cudaEventElapsedTime(&took, clock.begin, clock.end), "tell the time");
    if (run > 0) least = std::min(least, took);
  }
  return static_cast<double>(least);
}

}  // namespace

std::unique_ptr<fused::Code> make_library_code(const Operation& operation, const fused::Bound& bound,
                                               const Demands& demands, int tried, CudaQueue& queue,
                                               PlanCache& cache, ChosenEngines& chosen) {
  const std::string key = fmt::format("{} in {}{}", describe(operation, bound.tensors),
                                      name_of(demands.precision), demands.repeatable ? ", repeatable" : "");
  if (demands.legacy) tried = 1;  // its plans have no text
  const PlanMaker maker{
      .build =
          [&](const Timer& timer, int first) {
            return demands.legacy
                       ? build_legacy(operation, bound.tensors, demands, queue.library(), timer, first)
                       : build(operation, bound.tensors, demands,
                               {.handle = queue.library(), .description = {}}, timer, first);
          },
      .restore =
          [&](const std::string& text) { return restore(operation, bound.tensors, text, queue.library()); },
      .timer = [&](LibraryPlan& candidate) { return milliseconds_of(candidate, bound, queue); }};
  return std::make_unique<LibraryCode>(choose_plan(key, tried, maker, cache, chosen), bound, tried);
}

}  // namespace convoy::cudnn
