// A step that is not among the first allocates nothing, alone or with others.
#include <catch2/catch.hpp>
#include <cstring>

#include "tests/support/allocations.h"
#include "world.h"

namespace convoy::testing {
namespace {

// Counts from the end of one step's record to the beginning of the next one's; not over evaluations and saving.
struct Counter final : Record {
  std::vector<int64_t> by_step;
  std::vector<std::string> callers;
  bool disturbed = true;
  void step(const StepRecord& record) override {
    count_allocations(false);
    const int64_t found = counted_allocations();
    if (!disturbed && record.step >= 2) {
      by_step.push_back(found);
      if (found > 0 && callers.empty()) callers = first_callers();
    }
    disturbed = false;
    count_allocations(true);
  }
  void evaluation(const EvaluationRecord&) override { disturbed = true; }
  void finish(const FinalRecord&) override { count_allocations(false); }
};

// Into other memory of the host, at once.
struct PlainCopies final : HostCopies {
  std::shared_ptr<std::byte[]> allocate(size_t bytes) override {
    return std::make_shared<std::byte[]>(bytes);
  }
  void fetch(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void put(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void finish() override {}
};

}  // namespace

TEST_CASE("a step after the first two allocates no memory") {
  const char* backend = GENERATE("reference", "onednn");
  const char* road = GENERATE("tree", "library");
  const bool mirrored = GENERATE(false, true);
  INFO(backend << ", " << road << (mirrored ? ", mirrored" : ""));
  PlainCopies copies;
  Counter counter;
  Run run;
  run.experiment.train.steps = 24;  // past the history that the guard of norms needs
  run.placement = {.backends = {backend}, .road = road};
  if (mirrored) run.copies = &copies;
  run.record = &counter;
  train_on(world(), run);
  REQUIRE(counter.by_step.size() >= 12);
  for (const std::string& caller : counter.callers) UNSCOPED_INFO(caller);
  CHECK(counter.by_step == std::vector<int64_t>(counter.by_step.size(), 0));
}

}  // namespace convoy::testing
