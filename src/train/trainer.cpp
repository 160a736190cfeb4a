#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <span>

#include "base/thinned.h"
#include "net/cost.h"
#include "train/diagnosis.h"
#include "train/evaluate.h"
#include "train/fingerprint.h"
#include "train/guard.h"
#include "train/loss_scale.h"
#include "train/optimizer.h"
#include "train/port_options.h"
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

ReducerOptions reducer_options(const Placement& placement, const Wire& wire) {
  ReducerOptions options = placement.reducer;
  options.wire = wire;
  return options;
}

class Loop {
 public:
  explicit Loop(const Job& job);
  Outcome run();

 private:
  struct Sums {
    Totals totals;
    RangeErrors wire;
    bool finite = true;          // on all ranks: the summed gradients and statistics
    const char* stop = nullptr;  // why the run is to end, asked on any rank
    double gradient_norm = 0;    // of the mean over workers; this rank's word
  };
  Sums sum_over_ranks(const Totals& mine, int64_t step);
  std::string trouble_of(int64_t step, const Sums& sums);
  bool lowers_loss_scale(int64_t step, const Sums& sums);
  bool time_is_short(int64_t step) const;
  StepTimes gradients(int64_t step);
  void apply(int64_t step, StepTimes& times);
  void keep(StepTimes& times);
  void evaluation(int64_t step, Totals& since);
  bool save_due(int64_t step) const;
  bool save(int64_t done);
  void save_behind(int64_t done);
  void note_saved();
  bool check_due(int64_t step, bool saved) const;
  Snapshot snapshot(int64_t done) const;
  void check_equal_weights(const std::string& digest, int64_t step);
  RankReport report();
  void take_up(const Snapshot& found);
  FinalRecord known(const std::string& status);
  Outcome finish(Exit exit, const std::string& status, const std::string& reason, int64_t done);

  const Job& job_;
  const MinibatchOptions runs_;  // of the plan, all ranks'
  const Share share_;            // of them, this rank's
  const int together_;           // workers in each
  const Wire wire_;
  Schedule schedule_;
  Optimizer optimizer_;
  Program training_, inference_;
  Arena arena_;
  std::unique_ptr<Plan> plan_, evaluating_;
  Reducer reducer_;
  Checkpoints disk_;
  std::string hash_, arithmetic_, fingerprint_, claim_;
  Thinned<StepTimes> times_;
  Guard guard_;
  LossScale loss_scale_;
  std::optional<Totals> held_out_;
  double init_seconds_ = 0, train_seconds_ = 0, evaluate_seconds_ = 0, since_evaluation_ = 0;
  struct {
    double step = 0, evaluation = 0, save = 0;
  } slowest_;  // seconds
};

Loop::Loop(const Job& job)
    : job_(job),
      runs_(runs_of(job.experiment)),
      share_(job.placement.runs(job.comm.rank())),
      together_(job.placement.together),
      wire_(wire_of(job.experiment)),
      schedule_(job.experiment, job.train_facts.samples),
      optimizer_(make_optimizer(job.experiment.optimizer)),
      training_(lower(job.graph, runs_.images, {.bucket_bytes = bucket_bytes(job.experiment)})),
      inference_(lower(job.graph, job.experiment.minibatch.images,
                       {.mode = Mode::inference, .bucket_bytes = bucket_bytes(job.experiment)})),
      arena_(job.graph, training_.layout, optimizer_states(optimizer_),
             [&](size_t bytes) { return job.backend.allocate(bytes); }),
      plan_(job.backend.compile(training_, arena_, compile_options_of(job.experiment))),
      evaluating_(job.held_out != nullptr
                      ? job.backend.compile(inference_, arena_, compile_options_of(job.experiment))
                      : nullptr),
      reducer_(job.comm, arena_, runs_.workers, share_, reducer_options(job.placement, wire_)),
      disk_(job.checkpoints, job.graph, job.comm, job.log),
      hash_(hash(job.experiment, job.train_facts, job.held_out_facts)),
      arithmetic_(arithmetic(job.experiment, job.train_facts, job.held_out_facts)),
      guard_(job.experiment.train.on_nonfinite == "skip", job.log),
      loss_scale_(job.experiment.precision) {}

Outcome Loop::run() {
  ensure(together_ == workers_together(job_.experiment));
  const std::string unused = unused_permission(job_.experiment, plan_->info());
  if (!unused.empty() && job_.comm.rank() == 0) job_.log.warn("{}", unused);
  Stopwatch watch;
  arena_.initialize(job_.experiment.train.seed);
  const int64_t first = disk_.restore(arena_, snapshot(0), job_.start);
  take_up(disk_.restored());
  init_seconds_ = watch.lap();
  auto [since, seconds] = job_.record.start(first, known("running"));
  since_evaluation_ = seconds;
  if (job_.stop_after > 0 && first >= job_.stop_after && first < schedule_.steps())
    return finish(Exit::time_limit, "time_limit", fmt::format("{} steps are done already", first), first);
  for (int64_t step = first; step < schedule_.steps(); ++step) {
    StepTimes times = gradients(step);
    const Sums sums = sum_over_ranks(plan_->totals(), step);
    const float loss_scale = loss_scale_.value();
    const bool lowered = lowers_loss_scale(step, sums);
    const std::string trouble = lowered ? "overflow of 16 bits" : trouble_of(step, sums);
    const bool left_out = lowered || (!trouble.empty() && guard_.skip(step, trouble));
    const bool outlier = trouble.empty() && guard_.outlier(step, sums.gradient_norm);
    if (trouble.empty()) apply(step, times);
    since += sums.totals;
    keep(times);
    job_.record.step({.step = step,
                      .totals = sums.totals,
                      .rate = schedule_.rate(step),
                      .times = times,
                      .warmup = step == first,
                      .gradient_norm = sums.gradient_norm,
                      .outlier = outlier,
                      .skipped = left_out,
                      .wire = wire_.rounds() ? std::optional(sums.wire) : std::nullopt,
                      .loss_scale = loss_scale_.matters() ? std::optional(loss_scale) : std::nullopt});
    if (!trouble.empty() && !left_out) return finish(Exit::diverged, "diverged", trouble, step);
    const bool last = step + 1 == schedule_.steps();
    const bool leave = (sums.stop != nullptr || step + 1 == job_.stop_after) && !last;
    if (check_due(step, leave || save_due(step))) check_equal_weights(arena_.digest(), step);
    if (schedule_.evaluates(step)) evaluation(step, since);
    if (held_out_ && held_out_->nonfinite > 0)  // before these weights could become the newest checkpoint
      return finish(Exit::diverged, "diverged", diagnose_evaluation(step, *held_out_, job_.graph, arena_),
                    step + 1);
    note_saved();
    if ((last || leave) && !save(step + 1))
      return finish(disk_.last_code(), "failed",
                    "the state at the end could not be saved: " + disk_.last_failure(), step + 1);
    if (leave) {
      const auto reason =
          fmt::format("stopped after step {} {}", step, sums.stop ? sums.stop : "as --stop-after says");
      return finish(Exit::time_limit, "time_limit", reason, step + 1);
    }
    if (save_due(step) && !last) save_behind(step + 1);
  }
  return finish(Exit::ok, "completed", "", schedule_.steps());
}

// "" if the step may be taken.
std::string Loop::trouble_of(int64_t step, const Sums& sums) {
  if (sums.totals.nonfinite == 0 && sums.wire.overflows > 0)
    return diagnose_overflow(step, reducer_.range_errors(), {wire_, runs_.workers}, job_.graph,
                             arena_.layout(), job_.comm);
  return sums.totals.nonfinite > 0 || !sums.finite ? diagnose_step(step, sums.totals, job_.graph, arena_)
                                                   : "";
}

// Gradients that overflowed where the loss did not: a lower scale cures it, and the step is left out.
bool Loop::lowers_loss_scale(int64_t step, const Sums& sums) {
  const bool scale_alone = !sums.finite && sums.totals.nonfinite == 0 && sums.wire.overflows == 0;
  if (!scale_alone || !loss_scale_.overflow()) return false;
  job_.log.detail("step {} is left out: its gradients overflow 16 bits; the loss scale is now {}", step,
                  loss_scale_.value());
  return true;
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
    batch.loss_scale = loss_scale_.value();
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
  update(optimizer_, job_.backend.vector(), job_.graph, arena_, schedule_.at(step),
         1.0f / static_cast<float>(runs_.workers));
  loss_scale_.fits();
  times.optimizer = watch.lap();
}

void Loop::keep(StepTimes& times) {
  times.total = times.data_wait + times.compute + times.communication + times.optimizer;
  train_seconds_ += times.total;
  slowest_.step = std::max(slowest_.step, times.total);
  since_evaluation_ += times.total;
  times_.add(times);
}

Loop::Sums Loop::sum_over_ranks(const Totals& mine, int64_t step) {
  const bool signalled = job_.stop != nullptr && job_.stop->load(), hurried = time_is_short(step);
  RangeErrors wire;
  for (const RangeErrors& bucket : reducer_.range_errors()) wire += bucket;
  // A library's max(x, 0) may turn a NaN into 0, and the loss stays finite: the gradients and statistics are asked too.
  const auto gradients = static_cast<size_t>(first_statistic(arena_.layout()));
  Vector& vector = job_.backend.vector();
  const double squared = vector.squared_norm(arena_.grads().first(gradients));
  const bool finite =
      std::isfinite(squared) && std::isfinite(vector.squared_norm(arena_.grads().subspan(gradients)));
  std::array<int64_t, 10> sums{mine.images,    mine.correct1,   mine.correct5, mine.loss, mine.nonfinite,
                               wire.overflows, wire.underflows, !finite,       signalled, hurried};
  job_.comm.sum(sums);
  return {.totals = {sums[0], sums[1], sums[2], sums[3], sums[4]},
          .wire = {sums[5], sums[6]},
          .finite = sums[7] == 0,
          .stop = sums[8] > 0   ? "by a signal"
                  : sums[9] > 0 ? "as the job's end is near (--time-limit, or SLURM_JOB_END_TIME)"
                                : nullptr,
          .gradient_norm = std::sqrt(squared) / runs_.workers};
}

// Whether this step, what comes after it and one more would not fit before the time limit.
bool Loop::time_is_short(int64_t step) const {
  return job_.deadline.near(
      2 * slowest_.step + slowest_.save +
      (schedule_.evaluates(step) || schedule_.evaluates(step + 1) ? slowest_.evaluation : 0));
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
  slowest_.evaluation = std::max(slowest_.evaluation, record.seconds);
  job_.record.evaluation(record);
}

// At evaluations it is done anyway. `saved`: what is to become a checkpoint, which all ranks would go on from.
bool Loop::check_due(int64_t step, bool saved) const {
  return job_.comm.size() > 1 && job_.check_every > 0 && !schedule_.evaluates(step) &&
         (saved || (step + 1) % job_.check_every == 0);
}

// Every rank must hold the same weights: a rank that does not has failed memory, another library or a bug of ours.
void Loop::check_equal_weights(const std::string& digest, int64_t step) {
  const std::vector<std::string> all = job_.comm.gather(digest);
  for (size_t rank = 0; rank < all.size(); ++rank)
    require(
        all[rank] == all[0],
        "after step {} rank {} holds other weights than rank 0: a fault of memory or network, or libraries "
        "that differ between the hosts; check that host, then go on with --resume",
        step, rank);
}

bool Loop::save_due(int64_t step) const {
  const CheckpointPolicy& policy = disk_.policy();
  return step + 1 == schedule_.steps() || (policy.every_steps > 0 && (step + 1) % policy.every_steps == 0) ||
         schedule_.completes(step, policy.every_epochs);
}

bool Loop::save(int64_t done) {
  Stopwatch watch;
  disk_.wait();
  note_saved();
  const bool saved = disk_.save(arena_, snapshot(done));
  if (saved) job_.record.checkpoint(done, watch.lap());
  return saved;
}

void Loop::save_behind(int64_t done) {
  disk_.wait();
  note_saved();
  disk_.save_behind(arena_, snapshot(done));
}

void Loop::note_saved() {
  const auto saved = disk_.saved_behind();
  if (!saved) return;
  slowest_.save = std::max(slowest_.save, saved->seconds + saved->writing);  // the last's length
  job_.record.checkpoint(saved->step, saved->seconds);
}

Snapshot Loop::snapshot(int64_t done) const {
  return {.step = done,
          .seed = job_.experiment.train.seed,
          .hash = hash_,
          .arithmetic = arithmetic_,
          .fingerprint = fingerprint_,
          .claim = claim_,
          .loss_scale = loss_scale_.state()};
}

RankReport Loop::report() {
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
  mine.arena_bytes = static_cast<size_t>(arena_.layout().elements) * sizeof(float) *
                     static_cast<size_t>(2 + arena_.states());
  mine.partial_sum_bytes =
      reducer_bytes(arena_.layout(), reducer_options(job_.placement, wire_), job_.comm.size(), share_.count);
  mine.peak_rss_bytes = peak_rss_bytes();
  const std::span<const StepTimes> times = times_.values();
  if (times.size() > 1) mine.median = median_of({times.begin() + 1, times.end()});
  return mine;
}

// Collective. Rank 0 alone knows what was found, and keeps the records.
void Loop::take_up(const Snapshot& found) {
  const LossScale::State& known = found.loss_scale;
  std::array<int64_t, 2> scale{static_cast<int64_t>(known.value), known.steps_since};
  job_.comm.sum(scale);
  loss_scale_.take_up({static_cast<float>(scale[0]), scale[1]});
  const auto ranks = gather_reports(report(), job_.comm);
  const Road road = job_.placement.reducer.road;
  fingerprint_ = fingerprint_of(ranks, road, together_);
  claim_ = same_fingerprint(ranks) ? claim(road, job_.comm.size(), runs_.workers) : "repeatable";
  if (found.step > 0) claim_ = claim_after(found, snapshot(found.step), job_.log);
}

FinalRecord Loop::known(const std::string& status) {
  const PassCosts cost = cost_of(training_);
  FinalRecord record;
  record.status = status;
  record.flops_per_image = (cost.forward.flops + cost.backward.flops) / training_.images;
  record.allreduce_bytes = allreduce_bytes(wire_, arena_.layout());
  record.ranks = gather_reports(report(), job_.comm);
  record.claim = claim_;
  record.init_seconds = init_seconds_;
  record.train_seconds = train_seconds_;
  record.evaluate_seconds = evaluate_seconds_;
  record.checkpoint_seconds = disk_.seconds();
  return record;
}

Outcome Loop::finish(Exit exit, const std::string& status, const std::string& reason, int64_t done) {
  disk_.wait();
  note_saved();
  FinalRecord record = known(status);
  record.exit_code = static_cast<int>(exit);
  record.reason = reason;
  record.steps = done;
  record.digest = arena_.digest();
  job_.record.finish(record);
  return {.exit = exit, .reason = reason, .steps = done, .digest = record.digest, .held_out = held_out_};
}

}  // namespace

Outcome train(const Job& job) { return Loop(job).run(); }

}  // namespace convoy
