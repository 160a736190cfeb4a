// Batch norm's choices (network.bn_evaluation, network.bn_group) on these ranks: the same bits as on one, also killed and
// resumed; checkpoints that evaluate to what the run said; and the statistics against recursions written out here.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "backends/registry.h"
#include "base/error.h"
#include "train/evaluate.h"
#include "train/port_options.h"
#include "world.h"

namespace convoy::testing {
namespace {

const std::vector<std::string> evaluations{"average", "first-worker", "last-minibatch"};

constexpr int64_t steps = 4;

Run run_with(const std::string& evaluation, int group = 0) {
  Run run;
  run.experiment.network.bn_evaluation = evaluation;
  run.experiment.network.bn_group = group;
  run.experiment.train.steps = steps;
  return run;
}

// Both keys' values, each once, beside the defaults of the other cases; 8 ranks cannot hold groups across two workers.
std::vector<Run> every_choice() {
  std::vector<Run> runs{run_with("first-worker"), run_with("last-minibatch"), run_with("average", 2)};
  if (world().size() < 8) runs.push_back(run_with("first-worker", 8));
  return runs;
}

std::string name_of(const Run& run) {
  return run.experiment.network.bn_evaluation + ", groups of " +
         std::to_string(run.experiment.network.bn_group);
}

struct Counts final : Record {
  std::vector<Totals> train, held_out;
  void step(const StepRecord& record) override { train.push_back(record.totals); }
  void evaluation(const EvaluationRecord& record) override { held_out.push_back(record.held_out); }
};

Counts notes_alone(Run run) {
  LocalCommunicator alone;
  Counts notes;
  run.record = &notes;
  train_on(alone, run);
  return notes;
}

// Writes down what each worker's plan gives as statistics, and the running ones that an evaluation reads.
struct Spy final : Backend {
  using Values = std::vector<std::vector<double>>;  // by statistic
  struct Seen {
    std::map<std::pair<int64_t, int>, Values> minibatch;  // by (step, worker)
    Values running;
  };
  struct SpyPlan final : Plan {
    std::unique_ptr<Plan> real;
    Graph graph;
    Arena& arena;
    Seen& seen;
    SpyPlan(std::unique_ptr<Plan> plan, const Graph& of, Arena& in, Seen& into)
        : real(std::move(plan)), graph(of), arena(in), seen(into) {}
    Values copy(std::span<float> (Arena::*statistic)(int)) {
      Values all;
      for (size_t s = 0; s < graph.stats.size(); ++s) {
        const std::span<float> values = (arena.*statistic)(static_cast<int>(s));
        all.emplace_back(values.begin(), values.end());
      }
      return all;
    }
    void train(const Batch& batch, const ReadyFn& ready) override {
      const int last = static_cast<int>(arena.layout().buckets.size()) - 1;
      real->train(batch, [&](BucketId bucket, Event event) {
        if (bucket == last) seen.minibatch[{batch.step, batch.worker}] = copy(&Arena::stat_grad);
        ready(bucket, event);
      });
    }
    void infer(const Batch& batch) override {
      seen.running = copy(&Arena::stat);
      real->infer(batch);
    }
    Totals totals() override { return real->totals(); }
    bool peek(Peek what, int node, std::span<float> to) override { return real->peek(what, node, to); }
    PlanInfo info() const override { return real->info(); }
  };
  std::unique_ptr<Backend> real;
  Seen& seen;
  Spy(std::unique_ptr<Backend> backend, Seen& into) : real(std::move(backend)), seen(into) {}
  DeviceInfo device() const override { return real->device(); }
  std::unique_ptr<Plan> compile(const Program& program, Arena& arena,
                                const CompileOptions& options) override {
    return std::make_unique<SpyPlan>(real->compile(program, arena, options), program.graph, arena, seen);
  }
  Vector& vector() override { return real->vector(); }
};

Spy::Seen spied(Run run) {
  Spy::Seen seen;
  run.wrap = [&](std::unique_ptr<Backend> backend) {
    return std::make_unique<Spy>(std::move(backend), seen);
  };
  LocalCommunicator alone;
  train_on(alone, run);
  return seen;
}

}  // namespace

TEST_CASE("every choice of batch norm gives the same weights on these ranks as on one, overlapped or not") {
  std::vector<std::string> digests;
  for (Run& run : every_choice()) {
    INFO(name_of(run));
    const std::string expected = digest_alone(run);
    CHECK(train_on(world(), run).digest == expected);
    run.placement.overlap = false;
    CHECK(train_on(world(), run).digest == expected);
    run.placement.backends = {"onednn"};
    CHECK(train_on(world(), run).digest == digest_alone(run));
    CHECK(std::find(digests.begin(), digests.end(), expected) == digests.end());  // each is another
    digests.push_back(expected);
  }
}

TEST_CASE("every choice of batch norm survives being killed, and goes on on one rank and on these") {
  for (Run& run : every_choice()) {
    INFO(name_of(run));
    const std::string expected = digest_alone(run);
    const SharedFolder folder;
    run.checkpoints = {.directory = folder.path, .every_steps = 2, .every_epochs = 0};
    run.dies_at = 3;  // step 2 is saved; taken up by one rank, then by these
    CHECK_THROWS_WITH(train_on(world(), run), Catch::Contains("the loader dies"));
    world().barrier();
    run.checkpoints.resume = true;
    run.dies_at = -1;
    CHECK(digest_alone(run) == expected);
    if (world().rank() == 0) std::filesystem::remove(folder.path / "checkpoint-00000004.h5");
    world().barrier();
    CHECK(train_on(world(), run).digest == expected);
  }
}

TEST_CASE("a checkpoint evaluates to what the run said, whatever batch norm reads") {
  for (Run& run : every_choice()) {
    INFO(name_of(run));
    const SharedFolder folder;
    run.checkpoints = {.directory = folder.path, .every_epochs = 0};
    const Outcome outcome = train_on(world(), run);
    world().barrier();
    const Graph graph = tiny_graph(run.experiment.network);
    const int images = run.experiment.minibatch.images;
    const Program program = lower(graph, images, {Mode::inference, bucket_bytes(run.experiment), false});
    Arena arena(graph, program.layout, 0);
    read_checkpoint(list_checkpoints(folder.path).front(), graph, arena, false);
    const auto plan = make_backend("reference", 1)->compile(program, arena);
    TinyLoader held_out(false, world().size(), images);
    CHECK(evaluate(*plan, held_out, images, world()) == *outcome.held_out);
  }
}

TEST_CASE("what evaluation reads changes no training, and is read by evaluation") {
  const Counts average = notes_alone(run_with("average"));
  for (const char* other : {"first-worker", "last-minibatch"}) {
    const Counts notes = notes_alone(run_with(other));
    CHECK(notes.train == average.train);
    CHECK(notes.held_out.back().loss != average.held_out.back().loss);
  }
  CHECK(notes_alone(run_with("average", 2)).train != average.train);
}

TEST_CASE("the statistics are those of the recursions, written out") {
  for (const std::string& evaluation : evaluations) {
    INFO(evaluation);
    const Run run = run_with(evaluation);
    const Spy::Seen seen = spied(run);
    const int workers = run.experiment.minibatch.workers;
    REQUIRE(seen.minibatch.size() == static_cast<size_t>(steps * workers));
    for (size_t s = 0; s < seen.running.size(); ++s)
      for (size_t c = 0; c < seen.running[s].size(); ++c) {
        std::vector<double> own(static_cast<size_t>(workers),
                                s % 2 == 0 ? 0.0 : 1.0);  // each worker's running average
        double last = 0;
        for (int64_t step = 0; step < steps; ++step) {
          last = 0;
          for (int w = 0; w < workers; ++w) {
            const double value = seen.minibatch.at({step, w})[s][c];
            own[static_cast<size_t>(w)] = 0.9 * own[static_cast<size_t>(w)] + 0.1 * value;
            last += value / workers;
          }
        }
        double average = 0;  // of the workers' running averages
        for (double r : own) average += r / workers;
        const double expected = evaluation == "average"        ? average
                                : evaluation == "first-worker" ? own[0]
                                                               : last;
        CHECK(seen.running[s][c] == Approx(expected).epsilon(1e-5).margin(1e-6));
        if (evaluation == "average") CHECK(seen.running[s][c] != Approx(own[0]).epsilon(1e-5).margin(1e-6));
      }
  }
}

TEST_CASE("two workers of 4 images in one batch norm group are one worker of 8") {
  Run together = run_with("first-worker", 8), wide = run_with("first-worker");
  wide.experiment.minibatch = {4, 8};
  CHECK(digest_alone(together) != digest_alone(wide));  // dropout stays that of the workers of 4
  together.experiment.network.dropout = wide.experiment.network.dropout = 0.0;
  const std::string expected = digest_alone(wide);
  CHECK(digest_alone(together) == expected);
  CHECK(digest_alone(run_with("first-worker")) != expected);
  if (world().size() == 8)
    CHECK_THROWS_WITH(train_on(world(), together), Catch::Contains("start 1, 2, 4 ranks"));
  else
    CHECK(train_on(world(), together).digest == expected);
}

TEST_CASE("a batch norm group is told to the workers' records as workers") {
  if (world().size() == 8) return;
  struct Last final : Record {
    FinalRecord last;
    void finish(const FinalRecord& record) override { last = record; }
  } record;
  Run run = run_with("average", 8);
  run.record = &record;
  train_on(world(), run);
  REQUIRE(record.last.ranks.size() == static_cast<size_t>(world().size()));
  CHECK(record.last.ranks.back().workers == 8 / world().size());
  CHECK(record.last.ranks.back().first_worker == 8 - 8 / world().size());
  CHECK(record.last.claim.find("bitwise") == 0);
}

}  // namespace convoy::testing
