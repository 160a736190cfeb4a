// The claim of the house: the bits depend on the Experiment, never on the Placement or on what interrupted the run.
#include <algorithm>
#include <catch2/catch.hpp>

#include "backends/registry.h"
#include "base/error.h"
#include "train/optimizer.h"
#include "world.h"

namespace convoy::testing {
namespace {

Run run_with(const std::string& optimizer) {
  Run run;
  run.experiment.optimizer.kind = optimizer;
  if (optimizer == "lars") {
    run.experiment.optimizer.variant = "paper";
    run.experiment.optimizer.trust = 0.02;
    run.experiment.schedule.rate = 4.0;
  }
  if (optimizer == "rmsprop-warmup") {  // in 2.8 epochs from RMSprop to SGD, changing in every step
    set_variant_defaults(run.experiment.optimizer);
    run.experiment.optimizer.alpha_per = "iteration";
    run.experiment.optimizer.eta_rmsprop = 0.01;
    run.experiment.optimizer.beta_center = 1.0;
    run.experiment.optimizer.beta_period = 2.0;
  }
  return run;
}

bool dies(Communicator& comm, Run run, int64_t step) {
  run.dies_at = step;
  try {
    train_on(comm, run);
  } catch (const Error& error) {
    return std::string(error.what()).find("the loader dies") != std::string::npos;
  }
  return false;
}

// Killed in `step`, and resumed on the same ranks; killed again, and resumed on one.
void resumes_here_and_alone(Run run, int64_t step, const std::string& expected) {
  const SharedFolder same, to_one;
  Run resumed = run;
  resumed.checkpoints.resume = true;
  run.checkpoints.directory = resumed.checkpoints.directory = same.path;
  CHECK(dies(world(), run, step));
  world().barrier();
  CHECK(train_on(world(), resumed).digest == expected);
  run.checkpoints.directory = resumed.checkpoints.directory = to_one.path;
  CHECK(dies(world(), run, step));
  CHECK(digest_alone(resumed) == expected);
}

}  // namespace

TEST_CASE("one experiment gives the same weights on these ranks as on one, overlapped or not") {
  for (const char* optimizer : {"sgd", "lars", "rmsprop-warmup"}) {
    Run run = run_with(optimizer);
    run.experiment.train.steps = 20;
    const std::string expected = digest_alone(run);
    CHECK(train_on(world(), run).digest == expected);
    run.placement.overlap = false;
    CHECK(train_on(world(), run).digest == expected);
    run.experiment.train.seed = 6;  // so that the test could fail
    CHECK(train_on(world(), run).digest != expected);
  }
}

TEST_CASE("a 16-bit wire gives the same weights on these ranks as on one, and others than f32") {
  std::vector<std::string> digests{digest_alone(run_with("sgd"))};
  for (const char* wire : {"fp16", "bf16"}) {
    Run run = run_with("sgd");
    run.experiment.allreduce.wire = wire;
    run.experiment.allreduce.scale = 64;
    const std::string expected = digest_alone(run);
    INFO(wire);
    CHECK(train_on(world(), run).digest == expected);
    run.placement.overlap = false;
    run.experiment.train.bucket_mib = 8;
    CHECK(train_on(world(), run).digest == expected);
    CHECK(std::find(digests.begin(), digests.end(), expected) == digests.end());
    digests.push_back(expected);
  }
  Run odd = run_with("sgd");  // units of 3 workers, on every rank or on one
  odd.experiment.minibatch = {24, 2};
  odd.experiment.train.steps = 3;
  odd.experiment.allreduce.wire = "fp16";
  CHECK(train_on(world(), odd).digest == digest_alone(odd));
}

TEST_CASE("threads and bucket sizes change no bit") {
  Run run = run_with("sgd");
  const std::string expected = digest_alone(run);
  run.threads = 2;
  CHECK(train_on(world(), run).digest == expected);
  run.experiment.train.bucket_mib = 8;
  CHECK(train_on(world(), run).digest == expected);
}

TEST_CASE("killed at every step and resumed on the same ranks, on one rank, and from one rank") {
  Run run = run_with("rmsprop-warmup");  // two states to carry
  const std::string expected = digest_alone(run);
  run.checkpoints.every_steps = 1;
  LocalCommunicator alone;
  for (int64_t step = 1; step < run.experiment.train.steps; ++step) {
    INFO("killed at step " << step);
    resumes_here_and_alone(run, step, expected);
    if (world().size() == 1) continue;
    const SharedFolder from_one;
    Run resumed = run;
    resumed.checkpoints.resume = true;
    run.checkpoints.directory = resumed.checkpoints.directory = from_one.path;
    if (world().rank() == 0) CHECK(dies(alone, run, step));
    world().barrier();
    CHECK(train_on(world(), resumed).digest == expected);
  }
}

TEST_CASE("a checkpoint between two saves repeats the steps since, to the same bits") {
  Run run = run_with("lars");
  const std::string expected = digest_alone(run);
  const SharedFolder folder;
  run.checkpoints = {.directory = folder.path, .every_steps = 3, .every_epochs = 0};
  CHECK(dies(world(), run, 5));
  world().barrier();
  run.checkpoints.resume = true;
  const Outcome outcome = train_on(world(), run);
  CHECK(outcome.digest == expected);
  CHECK(outcome.steps == 8);
  // Resuming a finished run does nothing and says the same.
  CHECK(train_on(world(), run).digest == expected);
}

TEST_CASE("a resume under another fingerprint is told, and no later launch claims equal bits again") {
  struct Claims final : Record {
    std::string start_claim;
    Carried start(int64_t, const FinalRecord& known) override {
      start_claim = known.claim;
      return {};
    }
  };
  const SharedFolder folder;
  const auto claim_at = [&](int threads, int64_t dies_at, bool resume) {
    Run run = run_with("sgd");
    Claims claims;
    run.record = &claims;
    run.threads = threads;
    run.checkpoints = {.directory = folder.path, .every_steps = 1, .resume = resume};
    if (dies_at > 0)
      CHECK(dies(world(), run, dies_at));
    else
      train_on(world(), run);
    world().barrier();
    return world().gather(claims.start_claim).front();  // rank 0 has seen the checkpoint
  };
  const std::string bitwise = "bitwise for any 2^k ranks of this fingerprint";
  CHECK(claim_at(1, 2, false) == bitwise);
  CHECK(claim_at(1, 3, true) == bitwise);
  CHECK(newest_fingerprint(folder.path).find("threads = 1\n") != std::string::npos);
  CHECK(claim_at(2, 4, true) == "repeatable");
  CHECK(newest_fingerprint(folder.path).find("threads = 2\n") != std::string::npos);
  CHECK(claim_at(2, 5, true) == "repeatable");
  CHECK(claim_at(1, 0, true) == "repeatable");
}

TEST_CASE("oneDNN gives the same weights on these ranks as on one") {
  Run run = run_with("sgd");
  run.placement.backends = {"onednn"};
  CHECK(train_on(world(), run).digest == digest_alone(run));
}

TEST_CASE("oneDNN in bf16 gives the same weights on these ranks as on one") {
  try {
    make_backend("onednn", 1, 0, Precision::bf16);
  } catch (const Error& error) {
    WARN("SKIPPED: training in bf16: " << error.what());
    return;
  }
  Run run = run_with("sgd");
  run.placement.backends = {"onednn"};
  const std::string f32 = digest_alone(run);
  run.experiment.precision.activations = "bf16";
  run.precision = Precision::bf16;
  const std::string expected = digest_alone(run);
  CHECK(train_on(world(), run).digest == expected);
  CHECK(world().gather(expected).front() != world().gather(f32).front());
}

TEST_CASE("oneDNN: killed and resumed on these ranks, and on one") {
  Run run = run_with("sgd");
  run.placement.backends = {"onednn"};
  const std::string expected = digest_alone(run);
  run.checkpoints.every_steps = 1;
  for (const int64_t step : {1, 5}) {
    INFO("killed at step " << step);
    resumes_here_and_alone(run, step, expected);
  }
}

TEST_CASE("1024 workers give the same weights on these ranks as on one") {
  for (const char* backend : {"reference", "onednn"}) {
    Run run = run_with("sgd");
    run.placement.backends = {backend};
    run.experiment.minibatch = {1024, 2};
    run.experiment.train.steps = 3;
    const std::string expected = digest_alone(run);
    CHECK(train_on(world(), run).digest == expected);
    run.experiment.minibatch = {512, 4};  // as many images by other workers: so that the test could fail
    CHECK(train_on(world(), run).digest != expected);
  }
}

}  // namespace convoy::testing
