#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "net/cost.h"
#include "train/evaluate.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/statistics.h"

namespace convoy {
namespace {

using Clock = std::chrono::steady_clock;

class Stopwatch {
 public:
  double lap() {  // seconds since the last lap
    const auto now = Clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  Clock::time_point last_ = Clock::now();
};

class Loop {
 public:
  explicit Loop(const Job& job);
  Outcome run();

 private:
  struct Sums {
    Totals totals;
    bool stop = false;
  };
  Sums sum_over_ranks(const Totals& mine);
  StepTimes gradients(int64_t step);
  void apply(int64_t step, StepTimes& times);
  void keep(StepTimes& times);
  void evaluation(int64_t step, Totals& since);
  bool save_due(int64_t step) const;
  bool save(int64_t done);
  Snapshot snapshot(int64_t done) const;
  void check_equal_weights(const std::string& digest, int64_t step);
  std::string diagnosis(int64_t step, const Totals& totals);
  FinalRecord known(const std::string& status);
  Outcome finish(Exit exit, const std::string& status, const std::string& reason, int64_t done);

  const Job& job_;
  const MinibatchOptions runs_;  // of the plan, all ranks'
  const Share share_;            // of them, this rank's
  const int together_;           // workers in each
  Schedule schedule_;
  Optimizer optimizer_;
  Program training_, inference_;
  Arena arena_;
  std::unique_ptr<Plan> plan_, evaluating_;
  Reducer reducer_;
  Checkpoints disk_;
  std::string hash_, arithmetic_;
  std::vector<StepTimes> times_;
  std::optional<Totals> held_out_;
  double init_seconds_ = 0, train_seconds_ = 0, evaluate_seconds_ = 0, since_evaluation_ = 0;
};

Loop::Loop(const Job& job)
    : job_(job),
      runs_(runs_of(job.experiment)),
      share_(job.placement.runs(job.comm.rank())),
      together_(job.placement.together),
      schedule_(job.experiment, job.train_facts.samples),
      optimizer_(make_optimizer(job.experiment.optimizer)),
      training_(lower(job.graph, runs_.images, {.bucket_bytes = bucket_bytes(job.experiment)})),
      inference_(lower(job.graph, job.experiment.minibatch.images,
                       {.mode = Mode::inference, .bucket_bytes = bucket_bytes(job.experiment)})),
      arena_(job.graph, training_.layout, optimizer_states,
             [&](size_t bytes) { return job.backend.allocate(bytes); }),
      plan_(job.backend.compile(training_, arena_)),
      evaluating_(job.held_out != nullptr ? job.backend.compile(inference_, arena_) : nullptr),
      reducer_(job.comm, arena_, runs_.workers, share_, job.placement.reducer),
      disk_(job.checkpoints, job.graph, job.comm, job.log),
      hash_(hash(job.experiment, job.train_facts, job.held_out_facts)),
      arithmetic_(arithmetic(job.experiment, job.train_facts, job.held_out_facts)) {}

Outcome Loop::run() {
  ensure(together_ == workers_together(job_.experiment));
  Stopwatch watch;
  arena_.initialize(job_.experiment.train.seed);
  const int64_t first = disk_.restore(arena_, snapshot(0));
  init_seconds_ = watch.lap();
  job_.record.start(first, known("running"));
  Totals since;
  for (int64_t step = first; step < schedule_.steps(); ++step) {
    StepTimes times = gradients(step);
    const auto [totals, stop] = sum_over_ranks(plan_->totals());
    const std::string trouble = totals.nonfinite > 0 ? diagnosis(step, totals) : "";
    if (trouble.empty()) apply(step, times);
    since += totals;
    keep(times);
    job_.record.step({step, totals, schedule_.rate(step), times});
    if (!trouble.empty()) return finish(Exit::diverged, "diverged", trouble, step);
    if (schedule_.evaluates(step)) evaluation(step, since);
    const bool last = step + 1 == schedule_.steps();
    const bool leave = stop && !last;
    if ((save_due(step) || leave) && !save(step + 1) && (last || leave))
      return finish(Exit::temporary, "failed",
                    "the state at the end could not be saved: " + disk_.last_failure(), step + 1);
    if (leave)
      return finish(Exit::time_limit, "time_limit", fmt::format("stopped after step {}", step), step + 1);
  }
  return finish(Exit::ok, "completed", "", schedule_.steps());
}

StepTimes Loop::gradients(int64_t step) {
  StepTimes times;
  Stopwatch watch;
  const double waited = job_.images.waited_seconds();
  for (int run = 0; run < share_.count; ++run) {
    Batch batch = job_.images.next(step, share_.first + run);
    batch.seed = job_.experiment.train.seed;
    batch.step = step;
    batch.worker = (share_.first + run) * together_;
    batch.workers = together_;
    plan_->train(batch, with_statistics(batch.worker, job_.graph, arena_, reducer_.leaf(run)));
  }
  times.data_wait = job_.images.waited_seconds() - waited;
  times.compute = std::max(0.0, watch.lap() - times.data_wait);
  reducer_.wait();
  times.communication = watch.lap();
  return times;
}

void Loop::apply(int64_t step, StepTimes& times) {
  Stopwatch watch;
  update(optimizer_, job_.backend.vector(), job_.graph, arena_, schedule_.rate(step),
         schedule_.rate(std::max<int64_t>(step - 1, 0)), 1.0f / static_cast<float>(runs_.workers));
  times.optimizer = watch.lap();
}

void Loop::keep(StepTimes& times) {
  times.total = times.data_wait + times.compute + times.communication + times.optimizer;
  train_seconds_ += times.total;
  since_evaluation_ += times.total;
  if (times_.size() < 1 << 20) times_.push_back(times);
}

Loop::Sums Loop::sum_over_ranks(const Totals& mine) {
  const bool asked = job_.stop != nullptr && job_.stop->load();
  std::array<int64_t, 6> sums{mine.images, mine.correct1,  mine.correct5,
                              mine.loss,   mine.nonfinite, asked ? 1 : 0};
  job_.comm.sum(sums);
  return {{sums[0], sums[1], sums[2], sums[3], sums[4]}, sums[5] > 0};
}

void Loop::evaluation(int64_t step, Totals& since) {
  Stopwatch watch;
  EvaluationRecord record;
  record.step = step;
  record.epochs = schedule_.epochs_after(step);
  record.train = std::exchange(since, {});
  if (evaluating_)
    held_out_ = record.held_out = evaluate(*evaluating_, *job_.held_out, inference_.images, job_.comm);
  record.rate = schedule_.rate(step);
  record.digest = arena_.digest();
  check_equal_weights(record.digest, step);
  record.train_seconds = std::exchange(since_evaluation_, 0.0);
  record.seconds = watch.lap();
  evaluate_seconds_ += record.seconds;
  job_.record.evaluation(record);
}

// Every rank must hold the same weights: a rank that does not has failed memory, another library or a bug of ours.
void Loop::check_equal_weights(const std::string& digest, int64_t step) {
  const std::vector<std::string> all = job_.comm.gather(digest);
  for (size_t rank = 0; rank < all.size(); ++rank)
    require(all[rank] == all[0],
            "after step {} rank {} holds other weights than rank 0: a fault of memory or network, or "
            "libraries that differ "
            "between the hosts; check that host, then go on with --resume",
            step, rank);
}

bool Loop::save_due(int64_t step) const {
  const CheckpointPolicy& policy = disk_.policy();
  return step + 1 == schedule_.steps() || (policy.every_steps > 0 && (step + 1) % policy.every_steps == 0) ||
         schedule_.completes(step, policy.every_epochs);
}

bool Loop::save(int64_t done) {
  Stopwatch watch;
  const bool saved = disk_.save(arena_, snapshot(done));
  if (saved) job_.record.checkpoint(done, watch.lap());
  return saved;
}

Snapshot Loop::snapshot(int64_t done) const {
  return {.step = done, .seed = job_.experiment.train.seed, .hash = hash_, .arithmetic = arithmetic_};
}

// Made before the update, so that the weights are those that gave the loss.
std::string Loop::diagnosis(int64_t step, const Totals& totals) {
  const auto bad = [](std::span<const float> values) {
    return !std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
  };
  std::string where = "all weights and gradients are finite";
  for (size_t p = job_.graph.params.size(); p-- > 0;) {  // ends with the first layer
    const std::string& name = job_.graph.params[p].name;
    if (bad(arena_.param_grad(static_cast<int>(p))))
      where = "the first gradient that is not finite is that of " + name;
    if (bad(arena_.param(static_cast<int>(p)))) where = "the first weights that are not finite are " + name;
  }
  return fmt::format(
      "the loss of {} of {} images is not finite at step {}: {}; lower the rate or lengthen the warm-up",
      totals.nonfinite, totals.images + totals.nonfinite, step, where);
}

FinalRecord Loop::known(const std::string& status) {
  const PlanInfo info = plan_->info();
  RankReport mine;
  mine.rank = job_.comm.rank();
  mine.host = job_.comm.host();
  mine.first_worker = share_.first * together_;
  mine.workers = share_.count * together_;
  mine.device = job_.backend.device();
  mine.activation_bytes = info.activation_bytes;
  mine.weight_bytes = info.weight_bytes;
  mine.scratch_bytes = info.scratch_bytes;
  mine.arena_bytes = static_cast<size_t>(arena_.layout().elements) * sizeof(float) * (2 + optimizer_states);
  mine.peak_rss_bytes = peak_rss_bytes();
  if (times_.size() > 1) mine.median = median_of({times_.begin() + 1, times_.end()});
  const PassCosts cost = cost_of(training_);
  FinalRecord record;
  record.status = status;
  record.flops_per_image = (cost.forward.flops + cost.backward.flops) / training_.images;
  record.ranks = gather_reports(mine, job_.comm);
  record.claim = same_fingerprint(record.ranks)
                     ? claim(job_.placement.reducer.road, job_.comm.size(), runs_.workers)
                     : "repeatable";
  record.init_seconds = init_seconds_;
  record.train_seconds = train_seconds_;
  record.evaluate_seconds = evaluate_seconds_;
  record.checkpoint_seconds = disk_.seconds();
  return record;
}

Outcome Loop::finish(Exit exit, const std::string& status, const std::string& reason, int64_t done) {
  FinalRecord record = known(status);
  record.exit_code = static_cast<int>(exit);
  record.reason = reason;
  record.steps = done;
  record.digest = arena_.digest();
  job_.record.finish(record);
  return {.exit = exit, .reason = reason, .steps = done, .digest = record.digest, .held_out = held_out_};
}

}  // namespace

size_t bucket_bytes(const Experiment& experiment) {
  return std::max<size_t>(64, static_cast<size_t>(experiment.train.bucket_mib * 1024 * 1024));
}

Outcome train(const Job& job) { return Loop(job).run(); }

}  // namespace convoy
