// Training on the fused backend: the claim about bits holds, and it learns what the reference learns.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "backends/fused/host_device.h"
#include "backends/fused/staged_sums.h"
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

TEST_CASE("sums through pinned memory give the bits of the library's own sums") {
  Run run = run_on("fused");
  run.placement.road = "library";
  const std::string expected = train_on(world(), run).digest;
  const auto staged = fused::make_staged_sums(world(), fused::make_host_device({}));
  CHECK(train_on(*staged, run).digest == expected);
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
