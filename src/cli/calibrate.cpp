// convoy calibrate JOB --out FILE: measures what a cluster file says, under the launcher that the training will use, and
// writes one: a rank's step, messages in a node and between nodes, additions, the spread of step times, and with a packed
// set the loader.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "backends/registry.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/datasets.h"
#include "cli/session.h"
#include "cli/tree.h"
#include "comm/affinity.h"
#include "comm/tree.h"
#include "data/loader.h"
#include "train/network.h"
#include "train/trainer.h"

namespace convoy::cli {
namespace {

struct Flags {
  std::string job, out, train, backend = "onednn", name = "measured";
  std::vector<std::string> overrides;
  int threads = 0, steps = 12;
  bool oversubscribe = false;
};

using Clock = std::chrono::steady_clock;

template <class F>
double seconds_of(F f) {
  const auto begin = Clock::now();
  f();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  ensure(!values.empty());
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// All ranks' numbers, by rank.
std::vector<double> gather(Communicator& comm, double mine) {
  std::vector<double> all;
  for (const std::string& text : comm.gather(fmt::format("{:.17g}", mine))) all.push_back(std::stod(text));
  return all;
}

struct StepTimes {
  double seconds = 0, spread = 0;  // median of all ranks; sigma of the logarithm
  std::vector<double> ready;       // by bucket, as a share of the step
};

// Steps of random images, after two that are not counted: every rank at the same time, as in training.
StepTimes time_steps(Communicator& comm, const Experiment& experiment, Backend& backend, int steps) {
  const int images = runs_of(experiment).images;
  const Program program = lower(make_network(experiment.network, 1000), images,
                                {Mode::training, bucket_bytes(experiment), false});
  Arena arena(program.graph, program.layout, 0);
  arena.initialize(1);
  const auto plan = backend.compile(program, arena);
  const auto side = static_cast<size_t>(experiment.network.input);
  std::vector<float> pixels(static_cast<size_t>(images) * 3 * side * side);
  std::vector<int32_t> labels(static_cast<size_t>(images));
  const Random random(1, stream_of("calibrate"));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(unit(random.bits(i)) - 0.5);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(random.bits(i) % 1000);
  StepTimes times{.seconds = 0, .spread = 0, .ready = std::vector<double>(program.layout.buckets.size())};
  std::vector<double> all;
  for (int step = -2; step < steps; ++step) {
    comm.barrier();
    const auto begin = Clock::now();
    std::vector<double> ready(times.ready.size());
    plan->train({.images = pixels, .labels = labels, .seed = 1, .step = std::max(step, 0)},
                [&](BucketId bucket, Event) {
                  ready[static_cast<size_t>(bucket)] =
                      std::chrono::duration<double>(Clock::now() - begin).count();
                });
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (step < 0) continue;
    for (size_t b = 0; b < ready.size(); ++b) times.ready[b] += ready[b] / seconds / steps;
    for (const double one : gather(comm, seconds)) all.push_back(one);
  }
  times.seconds = median(all);
  double squares = 0;
  for (const double one : all) squares += std::pow(std::log(one / times.seconds), 2);
  times.spread = std::sqrt(squares / static_cast<double>(all.size()));
  return times;
}

struct Link {
  double latency = 0, bandwidth = 0;
  bool measured = false;
};

// Ping-pong as MPI benchmarks do it: half a round trip of an empty-handed and of a long message. Collective.
Link time_link(Communicator& comm, int a, int b) {
  if (b < 0) return {};
  const auto round = [&](size_t bytes) {
    std::vector<std::byte> out(bytes), in(bytes);
    const int peer = comm.rank() == a ? b : a, times = 20;
    std::vector<double> seconds;
    comm.barrier();
    if (comm.rank() == a || comm.rank() == b)
      for (int i = 0; i < times; ++i) {
        seconds.push_back(seconds_of([&] {
          if (comm.rank() == a) {
            comm.start_exchange(peer, out, {})->wait();
            comm.start_exchange(peer, {}, in)->wait();
          } else {
            comm.start_exchange(peer, {}, in)->wait();
            comm.start_exchange(peer, out, {})->wait();
          }
        }));
      }
    return gather(comm, seconds.empty() ? 0 : median(seconds) / 2)[static_cast<size_t>(a)];
  };
  const double small = round(8), large = round(size_t{16} << 20);
  return {small, static_cast<double>(size_t{16} << 20) / std::max(large - small, 1e-9), true};
}

// The tree over all ranks, by bytes; the second of two counts.
double time_allreduce(Communicator& comm, size_t bytes) {
  std::vector<float> values(bytes / 4), scratch(tree_scratch(values.size(), comm.size()));
  double seconds = 0;
  for (int i = 0; i < 2; ++i) {
    comm.barrier();
    seconds = seconds_of([&] {
      tree_sum(comm, values, scratch,
               [](Communicator::Pending& message, const TreeStep&) { message.wait(); });
    });
  }
  return std::ranges::max(gather(comm, seconds));
}

double memory_bandwidth() {
  std::vector<float> to(size_t{8} << 20), from(to.size(), 1.0f);
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i)
    seconds.push_back(seconds_of([&] {
      for (size_t e = 0; e < to.size(); ++e) to[e] += from[e];
    }));
  return static_cast<double>(to.size() * sizeof(float)) / median(seconds);
}

// Images a second that a rank's loader prepares while all ranks do, nothing else being done: the slowest rank's.
double time_loader(Communicator& comm, const Experiment& experiment, std::shared_ptr<const Dataset> set,
                   int threads, int steps) {
  const int images = runs_of(experiment).images;
  const auto loader = make_loader(std::move(set), {.seed = experiment.train.seed,
                                                   .workers = comm.size(),
                                                   .batch = images,
                                                   .transform = transform_of(experiment.data),
                                                   .local_workers = {comm.rank()},
                                                   .threads = threads});
  int64_t step = 0;
  const auto some = [&](int count) {
    for (int i = 0; i < count; ++i) loader->next(step++, comm.rank());
  };
  some(4);  // what was prepared ahead of the clock
  comm.barrier();
  const double seconds = seconds_of([&] { some(steps); });
  return std::ranges::min(gather(comm, images * steps / seconds));
}

std::string number(const char* key, double value, const std::string& source) {
  return fmt::format("{} = {{ value = {:.6g}, mark = \"measured\", source = \"{}\" }}\n", key, value, source);
}

int calibrate(const Flags& flags, Communicator& comm) {
  const Experiment experiment = parse_experiment(flags.job, flags.overrides);
  const Affinity affinity = place(comm, {.threads = flags.threads, .allow_overlap = flags.oversubscribe});
  const auto backend = make_backend(flags.backend, affinity.threads);
  const auto hosts = comm.gather(comm.host());
  const auto on_first = static_cast<int>(std::ranges::count(hosts, hosts.front()));
  require(comm.size() % on_first == 0, Exit::usage,
          "{} ranks with {} on {}: start the same number on every node", comm.size(), on_first,
          hosts.front());
  const int nodes = comm.size() / on_first;
  for (int r = 0; r < comm.size(); ++r)
    require(hosts[static_cast<size_t>(r)] == hosts[static_cast<size_t>(r / on_first * on_first)], Exit::usage,
            "ranks are not numbered node by node: rank {} is on {}; start them in blocks", r,
            hosts[static_cast<size_t>(r)]);
  const StepTimes step = time_steps(comm, experiment, *backend, flags.steps);
  const Link inside = time_link(comm, 0, on_first > 1 ? 1 : -1);
  const Link outside = time_link(comm, 0, nodes > 1 ? on_first : -1);
  const double memory = median(gather(comm, memory_bandwidth()));
  const auto set = open_sets(experiment, flags.train, "", comm, Presence::optional).training;
  const double loaded = set ? time_loader(comm, experiment, set, affinity.threads, flags.steps) : 0;
  std::string sums;
  if ((comm.size() & (comm.size() - 1)) == 0 && comm.size() > 1)
    for (const size_t bytes :
         {size_t{1} << 12, size_t{1} << 16, size_t{1} << 20, size_t{8} << 20, size_t{64} << 20})
      sums += fmt::format("#   {:>9} bytes  {:.6f} s\n", bytes, time_allreduce(comm, bytes));
  if (comm.rank() != 0) return 0;
  const DeviceInfo device = backend->device();
  const std::string how = fmt::format("convoy calibrate, {} ranks on {} nodes", comm.size(), nodes);
  // One rank, or one node: nothing between to be measured, so that what there is stands for both, and says so.
  const Link none{1e-6, 1e10, false},
      in = inside.measured    ? inside
           : outside.measured ? outside
                              : none,
      out = outside.measured ? outside : in;
  const auto said = [&](const Link& link) {
    return link.measured ? how + ", half a round trip" : "no second rank to measure with: a guess";
  };
  std::string shares;
  for (const double ready : step.ready) shares += fmt::format(" {:.3f}", ready);
  const std::string text = fmt::format(
      "# Written by {} with {} on {}, {} thread{} a rank.\nname = \"{}\"\ndescription = \"{} on {}\"\n\n"
      "[nodes]\ncount = {}\nranks = {}\nsource = \"measured: {}\"\n\n[network]\n{}{}\n[inside]\n{}{}\n[rank]\n{}{}{}\n"
      "# Buckets were complete after these shares of the step:{}\n[[step]]\nnetwork = \"{}\"\nimages = {}\n{}"
      "{}{}",
      how, device.library, device.hardware, device.threads, device.threads == 1 ? "" : "s", flags.name,
      device.backend, device.hardware, nodes, on_first, how,
      number("bandwidth", out.bandwidth,
             outside.measured ? said(outside) : "one node only: as inside; " + said(in)),
      number("latency", out.latency,
             outside.measured ? said(outside) : "one node only: as inside; " + said(in)),
      number("bandwidth", in.bandwidth, said(in)), number("latency", in.latency, said(in)),
      number("memory_bandwidth", memory, "8 Mi additions of f32, one thread"),
      number("spread", std::min(step.spread, 1.0), fmt::format("{} steps of every rank", flags.steps)),
      loaded > 0 ? number("loader", loaded, fmt::format("{} threads, all ranks at once", affinity.threads))
                 : "",
      shares, experiment.network.model, runs_of(experiment).images,
      number("seconds", step.seconds, fmt::format("median of {} steps of every rank, together", flags.steps)),
      sums.empty() ? "" : "\n# The fixed-order tree over all these ranks:\n", sums);
  replace_file(flags.out, text);
  fmt::print("{}", text);
  return 0;
}

}  // namespace

void add_calibrate(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("calibrate", "measure this machine and write a cluster file for plan and simulate");
  set_examples(*command, {"mpirun -n 4 convoy calibrate jobs/goyal-1hour.toml --out ours.toml"});
  auto flags = std::make_shared<Flags>();
  command->add_option("job", flags->job, "a job file: its network and images a worker are timed")
      ->required()
      ->type_name("JOB");
  command->add_option("--out", flags->out, "the cluster file to write")->required()->type_name("FILE");
  command
      ->add_option("--train", flags->train, "a packed set: the loader is measured too (default: the job's)")
      ->type_name("FOLDER");
  command->add_option("--name", flags->name, "of the cluster")->capture_default_str();
  command->add_option("--backend", flags->backend, "as of `convoy train`")->capture_default_str();
  command->add_option("--threads", flags->threads, "a rank (default: as many as it has cores)")
      ->check(CLI::Range(1, 4096));
  command->add_option("--steps", flags->steps, "to be timed, after two that are not counted")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  command->add_flag("--oversubscribe", flags->oversubscribe, "more threads than cores: bind nothing");
  command->add_option("--set", flags->overrides, "section.key=value, may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->callback([&context, flags] {
    context.chosen = [&context, flags] {
      return under_mpi(context, [flags](Communicator& comm) { return calibrate(*flags, comm); });
    };
  });
}

}  // namespace convoy::cli
