// The dynamic loss scale of 16-bit activations, on these ranks and over a resume.
#include <catch2/catch.hpp>
#include <cmath>

#include "world.h"

namespace convoy::testing {
namespace {

// A backend whose 16 bits overflow, on the last worker's first bucket alone, where the loss scale is above its limit.
struct Narrow final : Backend {
  struct NarrowPlan final : Plan {
    std::unique_ptr<Plan> whole;
    Arena& arena;
    float limit;
    NarrowPlan(std::unique_ptr<Plan> plan, Arena& its, float most)
        : whole(std::move(plan)), arena(its), limit(most) {}
    void train(const Batch& batch, const ReadyFn& ready) override {
      whole->train(batch, [&](BucketId bucket, Event event) {
        if (bucket == 0 && batch.worker == 7 && batch.loss_scale > limit) arena.grads(0)[3] = INFINITY;
        ready(bucket, event);
      });
    }
    void infer(const Batch& batch) override { whole->infer(batch); }
    Totals totals() override { return whole->totals(); }
    bool peek(Peek what, int node, std::span<float> to) override { return whole->peek(what, node, to); }
    PlanInfo info() const override { return whole->info(); }
  };
  std::unique_ptr<Backend> whole;
  float limit;
  Narrow(std::unique_ptr<Backend> backend, float most) : whole(std::move(backend)), limit(most) {}
  DeviceInfo device() const override { return whole->device(); }
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                const CompileOptions& options) override {
    return std::make_unique<NarrowPlan>(whole->compile(program, arena, options), arena, limit);
  }
  Vector& vector() override { return whole->vector(); }
};

Run in_fp16(float limit) {
  Run run;
  run.experiment.train.steps = 12;
  run.experiment.precision = {.activations = "fp16", .loss_scale = 0, .growth_steps = 3};
  run.wrap = [limit](std::unique_ptr<Backend> backend) {
    return std::make_unique<Narrow>(std::move(backend), limit);
  };
  return run;
}

}  // namespace

TEST_CASE("gradients that overflow 16 bits lower the loss scale on all ranks, and their step is left out") {
  Notes notes;
  Run run = in_fp16(0x1p13f);
  run.record = &notes;
  const Outcome outcome = train_on(world(), run);
  CHECK(outcome.exit == Exit::ok);
  std::vector<double> scales;
  std::string skipped;
  for (const StepRecord& step : notes.steps) {
    scales.push_back(step.loss_scale.value_or(0));
    skipped += step.skipped ? 'x' : '.';
  }
  CHECK(skipped ==
        "xxx...x...x.");  // from 2^16 down to 2^13, then up after every three steps, and down again
  CHECK(scales ==
        std::vector<double>{65536, 32768, 16384, 8192, 8192, 8192, 16384, 8192, 8192, 8192, 16384, 8192});
  run.record = nullptr;
  CHECK(outcome.digest == digest_alone(run));
}

TEST_CASE("a resumed run goes on with the loss scale that it had, to the same bits") {
  const SharedFolder folder;
  Run run = in_fp16(0x1p13f);
  const std::string straight = train_on(world(), run).digest;
  for (const int64_t dies_at : {2, 5, 7, -1}) {
    run.checkpoints = {.directory = folder.path, .every_steps = 1, .resume = dies_at != 2};
    run.dies_at = dies_at;
    if (dies_at >= 0)
      CHECK_THROWS(train_on(world(), run));
    else
      CHECK(train_on(world(), run).digest == straight);
  }
}

TEST_CASE("where no loss scale helps, a run in fp16 ends as diverged") {
  Run run = in_fp16(0.5f);
  run.experiment.train.steps = 40;
  const Outcome outcome = train_on(world(), run);
  CHECK(outcome.exit == Exit::diverged);
  CHECK(outcome.steps == 16);  // after as many halvings the scale is 1
}

}  // namespace convoy::testing
