// The loop's own behaviour on these ranks: counts, learning, stops and faults.
#include <algorithm>
#include <atomic>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>

#include "base/error.h"
#include "world.h"

namespace convoy::testing {
namespace {

// A backend whose optimizer arithmetic goes wrong in one bit, whose norm of the gradients is once not a number, or whose
// memory once loses a bit of a weight.
struct Faulty final : Backend {
  struct FaultyVector final : Vector {
    Vector& whole;
    bool flips = true;
    int norms_to_nan = -1, norms_to_strike = -1;  // two a step
    Arena* arena = nullptr;
    explicit FaultyVector(Vector& vector) : whole(vector) {}
    void squared_norms(std::span<const NormTaskOf<float>> tasks, std::span<double> norms) override {
      if (norms_to_strike-- == 0) {
        float& weight = arena->param(0)[0];
        weight = std::bit_cast<float>(std::bit_cast<uint32_t>(weight) ^ (1u << 21));
      }
      whole.squared_norms(tasks, norms);
      if (norms_to_nan-- == 0) norms[0] = NAN;
    }
    void momentum_steps(std::span<const MomentumTaskOf<float>> tasks) override {
      whole.momentum_steps(tasks);
      for (const auto& task : tasks)
        if (flips) task.w[0] = std::nextafter(task.w[0], 1e9f);
    }
    void rmsprop_steps(std::span<const RmspropTaskOf<float>> tasks) override { whole.rmsprop_steps(tasks); }
    void running_averages(std::span<const AverageTaskOf<float>> tasks) override {
      whole.running_averages(tasks);
    }
  };
  std::unique_ptr<Backend> whole;
  FaultyVector faulty;
  explicit Faulty(std::unique_ptr<Backend> backend) : whole(std::move(backend)), faulty(whole->vector()) {}
  DeviceInfo device() const override { return whole->device(); }
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                const CompileOptions& options) override {
    faulty.arena = &arena;
    return whole->compile(program, arena, options);
  }
  Vector& vector() override { return faulty; }
};

}  // namespace

TEST_CASE("the gradient's norm is that of the mean over workers, on every number of ranks") {
  Notes here, alone_notes;
  Run run;
  run.record = &here;
  train_on(world(), run);
  LocalCommunicator alone;
  run.record = &alone_notes;
  train_on(alone, run);
  REQUIRE(here.steps.size() == 8);
  for (size_t i = 0; i < 8; ++i) {
    CHECK(here.steps[i].gradient_norm > 0.0);
    CHECK(here.steps[i].gradient_norm == alone_notes.steps[i].gradient_norm);
  }
}

TEST_CASE("losses and counts are exact, equal on every rank and for any number of ranks") {
  Notes here, alone_notes;
  Run run;
  run.record = &here;
  const Outcome outcome = train_on(world(), run);
  LocalCommunicator alone;
  run.record = &alone_notes;
  train_on(alone, run);
  REQUIRE(here.steps.size() == 8);
  for (size_t i = 0; i < 8; ++i) {
    CHECK(here.steps[i].totals.images == 32);
    CHECK(here.steps[i].totals == alone_notes.steps[i].totals);
  }
  // 8 steps of 32 over 90 images: epochs end in steps 2, 5 and the last one is an evaluation anyway.
  REQUIRE(here.evaluations.size() == 3);
  CHECK(here.evaluations[0].step == 2);
  CHECK(here.evaluations[0].train.images == 96);
  CHECK(here.evaluations[1].step == 5);
  CHECK(here.evaluations[2].step == 7);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(here.evaluations[i].held_out.images == held_out_samples);
    CHECK(here.evaluations[i].held_out == alone_notes.evaluations[i].held_out);
    CHECK(here.evaluations[i].digest == alone_notes.evaluations[i].digest);
  }
  CHECK(outcome.held_out == here.evaluations[2].held_out);
  REQUIRE(here.last.ranks.size() == static_cast<size_t>(world().size()));
  CHECK(here.last.ranks.back().workers == 8 / world().size());
  CHECK(here.last.flops_per_image > 0);
  // log2(workers a rank) arenas of partial sums, and the tree's scratch where there is another rank.
  const RankReport& report = here.last.ranks.back();
  const size_t arena = report.arena_bytes / 3, levels[] = {3, 2, 1, 0};
  const size_t sums = levels[std::countr_zero(static_cast<unsigned>(world().size()))] * arena;
  CHECK(report.partial_sum_bytes >= sums);
  CHECK((report.partial_sum_bytes > sums) == (world().size() > 1));
  CHECK(here.last.claim.find("bitwise") == 0);
}

TEST_CASE("both optimizers learn the tiny set") {
  for (const char* optimizer : {"sgd", "lars"}) {
    Run run;
    run.experiment.train.steps = 120;
    run.experiment.optimizer.kind = optimizer;
    run.experiment.optimizer.variant = "caffe";
    run.experiment.optimizer.trust = 0.02;
    if (run.experiment.optimizer.kind == "lars") run.experiment.schedule.rate = 4.0;
    const Outcome outcome = train_on(world(), run);
    INFO(optimizer);
    REQUIRE(outcome.held_out);
    CHECK(outcome.held_out->correct1 >= 35);  // of 37; chance is 9
  }
}

TEST_CASE("the library's road takes these ranks too and ends near the tree") {
  Notes tree, library;
  Run run;
  run.record = &tree;
  train_on(world(), run);
  run.record = &library;
  run.placement.road = "library";
  const Outcome outcome = train_on(world(), run);
  CHECK(outcome.exit == Exit::ok);
  CHECK(library.steps.back().totals.mean_loss() ==
        Approx(tree.steps.back().totals.mean_loss()).epsilon(1e-3));
  if (world().size() > 1) CHECK(library.last.claim == "repeatable");
}

TEST_CASE("a loss that is not finite ends the run on all ranks, naming step and layer") {
  Run run;
  run.experiment.schedule = {.kind = "constant", .rate = 1e30};
  Notes notes;
  run.record = &notes;
  const Outcome outcome = train_on(world(), run);
  CHECK(outcome.exit == Exit::diverged);
  CHECK(outcome.steps < 8);
  CHECK(outcome.reason.find("is not finite at step " + std::to_string(outcome.steps)) != std::string::npos);
  CHECK(outcome.reason.find("conv1.weight") != std::string::npos);
  CHECK(outcome.reason.find(" of 32 images") != std::string::npos);
  CHECK(std::isnan(notes.steps.back().totals.mean_loss()));
  CHECK(notes.last.status == "diverged");
  CHECK(notes.last.exit_code == 2);
}

TEST_CASE("an evaluation whose loss is not finite ends the run, and its weights are no checkpoint") {
  const SharedFolder folder;
  Run run;
  run.experiment.schedule = {.kind = "constant", .rate = 1e30};
  run.experiment.train.steps = 1;  // the one update ruins the weights after a whole loss
  run.checkpoints.directory = folder.path;
  Notes notes;
  run.record = &notes;
  const Outcome outcome = train_on(world(), run);
  CHECK(outcome.exit == Exit::diverged);
  CHECK(outcome.steps == 1);
  CHECK(outcome.reason.find("held-out loss of") == 4);
  CHECK(notes.last.status == "diverged");
  REQUIRE(notes.evaluations.size() == 1);
  CHECK(notes.evaluations[0].held_out.nonfinite > 0);
  CHECK(list_checkpoints(folder.path).empty());
}

TEST_CASE("what a 16-bit wire loses is counted, the same on any number of ranks") {
  Notes here, alone_notes;
  Run run;
  run.record = &here;
  train_on(world(), run);
  CHECK_FALSE(here.steps.front().wire);
  here.steps.clear();
  run.experiment.allreduce = {.wire = "fp16", .scale = 0x1p-12};
  train_on(world(), run);
  LocalCommunicator alone;
  run.record = &alone_notes;
  train_on(alone, run);
  REQUIRE(here.steps.size() == 8);
  int64_t underflows = 0;
  for (size_t i = 0; i < 8; ++i) {
    REQUIRE(here.steps[i].wire);
    CHECK(here.steps[i].wire == alone_notes.steps[i].wire);
    CHECK(here.steps[i].wire->overflows == 0);
    underflows += here.steps[i].wire->underflows;
  }
  CHECK(underflows > 0);
}

TEST_CASE("a wire that overflows ends the run on all ranks before the update, and says what to do") {
  Notes here, alone_notes;
  Run run;
  run.experiment.allreduce = {.wire = "fp16", .scale = 0x1p30};
  run.record = &here;
  const Outcome outcome = train_on(world(), run);
  CHECK(outcome.exit == Exit::diverged);
  CHECK(outcome.steps == 0);
  REQUIRE(here.steps.size() == 1);
  CHECK(here.steps[0].totals.nonfinite == 0);
  CHECK(here.steps[0].wire->overflows > 0);
  CHECK(here.last.status == "diverged");
  CHECK(here.last.exit_code == 2);
  using Catch::Contains;
  CHECK_THAT(outcome.reason,
             Contains(fmt::format("{} finite values overflowed fp16", here.steps[0].wire->overflows)) &&
                 Contains("at step 0, in bucket 1 of") && Contains("from fc.weight on") &&
                 Contains("lower allreduce.scale (0.125 "));
  LocalCommunicator alone;
  run.record = &alone_notes;
  const Outcome same = train_on(alone, run);
  CHECK(same.reason == outcome.reason);
  CHECK(same.digest == outcome.digest);  // the initial weights
}

TEST_CASE("the library's road refuses a 16-bit wire") {
  Run run;
  run.placement.road = "library";
  run.experiment.allreduce.wire = "bf16";
  CHECK_THROWS_WITH(train_on(world(), run), Catch::Contains("cannot travel as bf16, scale 1 on the MPI"));
}

TEST_CASE("a stop asked of one rank stops all after the same step, with a checkpoint to go on from") {
  Run run;
  const std::string expected = digest_alone(run);
  const SharedFolder folder;
  run.checkpoints = {.directory = folder.path, .every_epochs = 0};
  std::atomic<bool> stop = world().rank() == world().size() - 1;
  run.stop = &stop;
  const Outcome stopped = train_on(world(), run);
  CHECK(stopped.exit == Exit::time_limit);
  CHECK(stopped.steps == 1);
  CHECK(stopped.reason == "stopped after step 0 by a signal");
  stop = false;
  run.checkpoints.resume = true;
  world().barrier();
  CHECK(train_on(world(), run).digest == expected);
}

TEST_CASE("a rank whose weights differ by one bit is named") {
  if (world().size() == 1) return;
  Run run;
  if (world().rank() == world().size() - 1)
    run.wrap = [](std::unique_ptr<Backend> backend) { return std::make_unique<Faulty>(std::move(backend)); };
  CHECK_THROWS_WITH(train_on(world(), run),
                    Catch::Contains("after step 2 rank " + std::to_string(world().size() - 1) +
                                    " holds other weights than rank 0"));
}

TEST_CASE("weights are compared every so many steps where that is asked") {
  if (world().size() == 1) return;
  Run run;
  run.check_every = 1;
  if (world().rank() == world().size() - 1)
    run.wrap = [](std::unique_ptr<Backend> backend) { return std::make_unique<Faulty>(std::move(backend)); };
  CHECK_THROWS_WITH(train_on(world(), run), Catch::Contains("after step 0 rank"));
}

TEST_CASE(
    "one bit of one rank's weights, once lost in memory, is reported at the next check and never saved") {
  if (world().size() == 1) return;
  const std::string undisturbed = digest_alone({});
  for (const int struck : {0, world().size() - 1})
    for (const bool saves : {false, true}) {
      const SharedFolder folder;
      Run run;
      run.experiment.train.evaluate_every = 0;
      run.check_every = saves ? 100 : 3;
      if (saves) run.checkpoints = {.directory = folder.path, .every_steps = 1};
      if (world().rank() == struck)
        run.wrap = [](std::unique_ptr<Backend> backend) {
          auto faulty = std::make_unique<Faulty>(std::move(backend));
          faulty->faulty.flips = false;
          faulty->faulty.norms_to_strike = 9;  // in the fifth step, after its gradients
          return faulty;
        };
      INFO("rank " << struck << (saves ? ", saving" : ", checking"));
      CHECK_THROWS_WITH(train_on(world(), run),
                        Catch::Contains(fmt::format("after step {} rank", saves ? 4 : 5)));
      world().barrier();
      if (!saves) continue;
      Run again;
      again.experiment.train.evaluate_every = 0;
      again.checkpoints = {.directory = folder.path, .resume = true};
      CHECK(train_on(world(), again).digest == undisturbed);
    }
}

TEST_CASE("a step that is not finite on one rank is left out on all, counted, and the run goes on") {
  Run run;
  run.experiment.train.on_nonfinite = "skip";
  const std::string undisturbed = digest_alone(run);
  if (world().rank() == world().size() - 1)
    run.wrap = [](std::unique_ptr<Backend> backend) {
      auto faulty = std::make_unique<Faulty>(std::move(backend));
      faulty->faulty.flips = false;
      faulty->faulty.norms_to_nan = 4;  // two a step: the third step's gradients
      return faulty;
    };
  Notes notes;
  run.record = &notes;
  const Outcome outcome = train_on(world(), run);
  CHECK(outcome.exit == Exit::ok);
  REQUIRE(notes.steps.size() == 8);
  for (size_t step = 0; step < 8; ++step) CHECK(notes.steps[step].skipped == (step == 2));
  CHECK(outcome.digest != undisturbed);
}

TEST_CASE("weights that are ruined are no accident: eight steps are left out, then the run ends") {
  Run run;
  run.experiment.train.steps = 20;
  run.experiment.train.evaluate_every = 0;
  run.experiment.train.on_nonfinite = "skip";
  run.experiment.schedule = {.kind = "constant", .rate = 1e30};
  Notes notes;
  run.record = &notes;
  CHECK(train_on(world(), run).exit == Exit::diverged);
  CHECK(std::count_if(notes.steps.begin(), notes.steps.end(),
                      [](const auto& step) { return step.skipped; }) == 8);
}

TEST_CASE("a time limit that is near stops the run with a checkpoint to go on from") {
  Run run;
  const std::string expected = digest_alone(run);
  const SharedFolder folder;
  run.checkpoints = {.directory = folder.path, .every_epochs = 0};
  if (world().rank() == 0) run.deadline = Deadline(Deadline::Clock::now() + std::chrono::seconds(5));
  const Outcome stopped = train_on(world(), run);
  CHECK(stopped.exit == Exit::time_limit);
  CHECK(stopped.steps == 1);
  CHECK_THAT(stopped.reason, Catch::Contains("the job's end is near"));
  run.deadline = {};
  run.checkpoints.resume = true;
  world().barrier();
  CHECK(train_on(world(), run).digest == expected);
}

TEST_CASE("a last state that cannot be saved is told by the outcome; before, the run goes on") {
  const SharedFolder folder;
  Run run;
  run.checkpoints = {.directory = folder.path / "taken", .every_steps = 1};
  if (world().rank() == 0) std::filesystem::create_directories(folder.path / "taken");
  // A folder in the place of every temporary file: no checkpoint can be written.
  if (world().rank() == 0)
    for (int step = 1; step <= 8; ++step) {
      const std::string name = "checkpoint-0000000" + std::to_string(step) + ".h5.tmp";
      std::filesystem::create_directories(folder.path / "taken" / name / "x");
    }
  world().barrier();
  Notes notes;
  run.record = &notes;
  const Outcome outcome = train_on(world(), run);
  CHECK(notes.steps.size() == 8);
  CHECK(outcome.exit == Exit::failed);  // the error's own code: a folder in the way is no full disk
  CHECK(outcome.reason.find("could not be saved") != std::string::npos);
}

}  // namespace convoy::testing
