#include "simulate/job.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "comm/wire.h"
#include "net/cost.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/port_options.h"
#include "train/schedule.h"

namespace convoy::simulate {
namespace {

Program lowered(const NetworkOptions& network, int classes, int images, size_t bytes) {
  return lower(make_network(network, classes), images, {Mode::training, bytes, false});
}

double flops_per_image(const Program& program) {
  const PassCosts costs = cost_of(program);
  return static_cast<double>(costs.forward.flops + costs.backward.flops) / program.images;
}

struct Seconds {
  double all = 0, backward = 0;  // backward 0: by flops
  std::vector<double> ready{};   // shares of `all`, if measured
  std::string source{};
};

// The usual rank's, where the file has what the slowest of several took.
double usual(const StepTime& step, double spread) {
  return step.seconds.value / expected_slowest(spread, step.ranks);
}

Seconds step_seconds(const Cluster& cluster, const Experiment& experiment, const Program& program,
                     double spread) {
  require(
      !cluster.steps.empty(), Exit::usage,
      "{} has no [[step]], the seconds of a rank's minibatch: measure them with `convoy calibrate`, or write down what "
      "is published",
      cluster.origin);
  const std::string& wanted = experiment.network.model;
  std::vector<StepTime> known;
  for (const StepTime& step : cluster.steps)
    if (step.network == wanted) known.push_back(step);
  const bool foreign = known.empty();
  if (foreign)
    for (const StepTime& step : cluster.steps)
      if (step.network == cluster.steps.front().network) known.push_back(step);
  const double images = program.images;
  std::ranges::sort(known, {}, [&](const StepTime& s) { return std::abs(std::log(s.images / images)); });
  const StepTime& near = known.front();
  const double at_near = usual(near, spread);
  double seconds = at_near * images / near.images;
  std::string note = near.images == program.images ? "" : fmt::format(", from {} images", near.images);
  if (known.size() > 1 && near.images != program.images) {
    const double slope = (usual(known[1], spread) - at_near) / (known[1].images - near.images);
    seconds = std::max(at_near + slope * (images - near.images), 0.0);
    note = fmt::format(", affine from {} and {} images", near.images, known[1].images);
  }
  if (foreign) {
    NetworkOptions other;
    other.model = near.network;
    if (near.network.starts_with("alexnet")) other.input = near.network == "alexnet-torchvision" ? 224 : 227;
    const double ratio =
        flops_per_image(program) / flops_per_image(lowered(other, 1000, near.images, size_t{8} << 20));
    seconds *= ratio;
    note += fmt::format(", from {} by flops (x {:.3g})", near.network, ratio);
  }
  return {seconds, near.backward * seconds / at_near, foreign ? std::vector<double>() : near.ready,
          fmt::format("[{}] {}{}", near.seconds.mark, near.seconds.source, note)};
}

// When each bucket is complete, of a step that takes `seconds`.
std::vector<double> ready_times(const Program& program, const Seconds& seconds) {
  std::vector<double> until(program.steps.size() + 1, 0.0);
  double forward = 0;
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const double flops = static_cast<double>(cost_of(program, program.steps[s]).flops);
    until[s + 1] = until[s] + flops;
    if (program.steps[s].pass == Pass::forward) forward = until[s + 1];
  }
  const double backward = until.back() - forward;
  const double share = seconds.backward > 0 ? seconds.backward / seconds.all : backward / until.back();
  std::vector<double> ready;
  if (seconds.ready.size() == program.layout.buckets.size()) {
    for (const double share_of_step : seconds.ready) ready.push_back(share_of_step * seconds.all);
    return ready;
  }
  for (const Bucket& bucket : program.layout.buckets) {
    const double done = (until[static_cast<size_t>(bucket.ready_step) + 1] - forward) / backward;
    ready.push_back(seconds.all * (1 - share + share * done));
  }
  return ready;
}

Breakdown parts_of(const SimulatedJob& job) {
  return {.data = job.loading, .compute = job.scenario.compute - job.loading, .overhead = job.scenario.after};
}

double wire_bytes(const Experiment& experiment) { return experiment.allreduce.wire == "f32" ? 4 : 2; }

}  // namespace

SimulatedJob make_job(const Experiment& experiment, const Cluster& cluster, const JobOptions& options) {
  const MinibatchOptions runs = runs_of(experiment);
  const int ranks = options.ranks > 0 ? options.ranks : std::min(runs.workers, cluster.ranks());
  require(ranks <= cluster.ranks(), Exit::usage,
          "{} ranks on {}, which has {} nodes of {}: ask for fewer, or give it "
          "more with --with nodes.count=N",
          ranks, cluster.name, cluster.nodes, cluster.ranks_per_node);
  require(ranks <= runs.workers, Exit::usage,
          "{} ranks for {} workers: ask for at most as many ranks, or give the job "
          "more workers with --set minibatch.workers=N",
          ranks, runs.workers);
  const Program program = lowered(experiment.network, options.classes, runs.images, bucket_bytes(experiment));
  const Seconds seconds =
      step_seconds(cluster, experiment, program, cluster.number("rank.spread", options.basis));
  SimulatedJob job;
  job.bytes = static_cast<double>(program.layout.elements) * wire_bytes(experiment);
  job.algorithm = usable(options.algorithm, alpha_beta(cluster, options.basis), ranks,
                         job.bytes / static_cast<double>(program.layout.buckets.size()));
  job.step_source = seconds.source;
  job.workers = runs.workers;
  job.local = (runs.workers + ranks - 1) / ranks;
  job.nodes = (ranks + cluster.ranks_per_node - 1) / cluster.ranks_per_node;
  job.images = int64_t{experiment.minibatch.workers} * experiment.minibatch.images;
  job.steps = Schedule(experiment, options.images).steps();
  Scenario& s = job.scenario;
  s.ranks = ranks;
  s.ranks_per_node = std::min(cluster.ranks_per_node, ranks);
  s.algorithm = name_of(job.algorithm);
  const double loader = cluster.number("rank.loader", options.basis);
  if (loader > 0) job.loading = runs.images * job.local / loader;
  s.compute = seconds.all * job.local + job.loading;
  s.sum_bandwidth = cluster.sum_bandwidth(options.basis);
  s.message = cluster.number("rank.message", options.basis);
  s.spread = cluster.number("rank.spread", options.basis);
  const int states = optimizer_states(make_optimizer(experiment.optimizer));
  s.after = static_cast<double>(program.layout.elements) * 4 * (3 + 2 * states) /
            cluster.number("rank.memory_bandwidth", options.basis);
  const std::vector<double> ready = ready_times(program, seconds);
  // The tree packs 16-bit gradients itself; for the others the same bytes are fewer floats.
  const bool halved = job.algorithm != Algorithm::tree && experiment.allreduce.wire != "f32";
  s.packed = halved;
  if (!halved) s.wire = experiment.allreduce.wire, s.wire_scale = experiment.allreduce.scale;
  for (size_t b = 0; b < ready.size(); ++b) {
    const Bucket& bucket = program.layout.buckets[b];
    const double moment = options.overlap ? s.compute - seconds.all + ready[b] : s.compute;
    s.buckets.push_back({bucket.begin / (halved ? 2 : 1), bucket.end / (halved ? 2 : 1), moment});
  }
  return job;
}

Breakdown measured(const SimulatedJob& job, const Answer& answer) {
  Breakdown b = parts_of(job);
  double slowest = 0;
  const auto count = static_cast<double>(answer.iterations.size());
  for (const IterationTimes& one : answer.iterations) slowest += one.compute_max / count;
  const double begin = answer.iterations.front().begin;
  b.iteration = (answer.iterations.back().end - begin) / count;
  b.imbalance = slowest - job.scenario.compute;
  b.exposed = b.iteration - slowest - b.overhead;
  b.efficiency = (b.data + b.compute + b.overhead) / b.iteration;
  return b;
}

Breakdown forecast(const SimulatedJob& job, AlphaBeta network) {
  const Scenario& s = job.scenario;
  Breakdown b = parts_of(job);
  double slow = expected_slowest(s.spread, s.ranks);
  if (s.slow_node >= 0) slow = std::max(slow, s.slow_factor * expected_slowest(s.spread, s.ranks_per_node));
  if (s.slow_link >= 0 && job.nodes > 1) network.slowest_link = s.link_factor;
  std::vector<double> ready, seconds;
  for (const ReadyBucket& bucket : s.buckets) {
    const double elements = static_cast<double>(bucket.end - bucket.begin);
    const double bytes = elements * (s.wire != "f32" ? 2 : 4);
    const bool rounded = s.packed || s.wire != "f32";
    ready.push_back(slow * bucket.ready);
    seconds.push_back(allreduce_seconds(job.algorithm, network, s.ranks, bytes) +
                      (rounded && s.ranks > 1 ? 6 * bytes / s.sum_bandwidth : 0.0));
  }
  const double end = std::max(last_end(ready, seconds), slow * s.compute);
  b.imbalance = (slow - 1) * s.compute;
  b.exposed = end - slow * s.compute;
  b.iteration = end + s.after;
  b.efficiency = (b.data + b.compute + b.overhead) / b.iteration;
  return b;
}

}  // namespace convoy::simulate
