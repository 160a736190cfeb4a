// Training on the fused backend: the claim about bits holds, and it learns what the reference learns.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "backends/fused/host_copies.h"
#include "backends/fused/host_device.h"
#include "world.h"

namespace convoy::testing {
namespace {

struct Losses final : Record {
  std::vector<double> steps;
  void step(const StepRecord& record) override { steps.push_back(record.totals.mean_loss()); }
};

Run run_on(const char* backend) {
  Run run;
  run.placement.backends = {backend};
  run.experiment.train.steps = 12;
  return run;
}

std::vector<double> losses_of(Run run) {
  Losses losses;
  run.record = &losses;
  train_on(world(), run);
  return losses.steps;
}

}  // namespace

TEST_CASE("the fused backend gives the same weights on these ranks as on one") {
  Run run = run_on("fused");
  const std::string expected = digest_alone(run);
  CHECK(train_on(world(), run).digest == expected);
  run.experiment.train.seed = 6;  // so that the test could fail
  CHECK(train_on(world(), run).digest != expected);
}

TEST_CASE("gradients that the host works on in pinned memory give the same weights") {
  const auto copies = fused::make_host_copies(fused::make_host_device({}));
  Run run = run_on("fused");
  run.experiment.train.steps = 4;
  const auto same_through_them = [&] {
    run.copies = nullptr;
    const std::string expected = train_on(world(), run).digest;
    run.copies = copies.get();
    CHECK(train_on(world(), run).digest == expected);
  };
  for (const bool overlap : {true, false}) {
    run.placement.overlap = overlap;
    for (const char* wire : {"f32", "fp16", "bf16"}) {
      INFO("tree, " << wire << ", overlap " << overlap);
      run.placement.road = "tree";
      run.experiment.allreduce.wire = wire;
      run.experiment.allreduce.scale = run.experiment.allreduce.wire == "f32" ? 1 : 64;
      same_through_them();
    }
    INFO("library, overlap " << overlap);
    run.placement.road = "library";
    run.experiment.allreduce.wire = "f32";
    run.experiment.allreduce.scale = 1;
    same_through_them();
  }
}

TEST_CASE("the fused backend trains as the reference does") {
  const std::vector<double> fused = losses_of(run_on("fused")), reference = losses_of(run_on("reference"));
  if (world().rank() != 0) return;  // rank 0 alone has a record
  REQUIRE(fused.size() == 12);
  REQUIRE(reference.size() == 12);
  // Rounding of f32 in every step's gradients, which a step of training multiplies by little.
  for (size_t step = 0; step < fused.size(); ++step) {
    INFO("step " << step);
    CHECK(std::abs(fused[step] / reference[step] - 1) < 1e-6 * static_cast<double>(step + 1));
  }
  CHECK(reference.back() < 0.8 * reference.front());  // it does learn
}

}  // namespace convoy::testing
