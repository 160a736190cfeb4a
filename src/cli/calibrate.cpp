// convoy calibrate JOB --out FILE: measures what a cluster file says, under the launcher that the training will use, and
// writes one: a rank's step, messages in a node and between nodes, additions, the spread of step times, and with a packed
// set the loader.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

#include "backends/registry.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/measure.h"
#include "cli/session.h"
#include "cli/tree.h"
#include "comm/affinity.h"
#include "simulate/closed_form.h"
#include "train/experiment_fields.h"
#include "train/port_options.h"

namespace convoy::cli {
namespace {

struct Flags {
  std::string job, out, train, backend = "onednn", name = "measured";
  std::vector<std::string> overrides;
  int threads = 0, steps = 12;
  bool oversubscribe = false;
};

std::string number(const char* key, double value, const std::string& source, bool measured = true) {
  return fmt::format("{} = {{ value = {:.6g}, mark = \"{}\", source = \"{}\" }}\n", key, value,
                     measured ? "measured" : "unverified", source);
}

int calibrate(const Flags& flags, Communicator& comm) {
  const Experiment experiment = parse_experiment(flags.job, flags.overrides);
  const Affinity affinity = place(comm, {.threads = flags.threads,
                                         .allow_overlap = flags.oversubscribe,
                                         .flush_denormals = flushes_denormals(experiment, {flags.backend})});
  const auto backend = make_backend(flags.backend, affinity.threads, turn_on_host(comm, flags.backend),
                                    precision_of(experiment));
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
  const double sums_bandwidth = sum_bandwidth(comm);
  const auto set = open_sets(experiment, flags.train, "", comm, Presence::optional).training;
  const double loaded = set ? time_loader(comm, experiment, set, affinity.threads, flags.steps) : 0;
  std::vector<std::pair<size_t, double>> trees;
  if (std::has_single_bit(static_cast<unsigned>(comm.size())) && comm.size() > 1)
    for (const size_t bytes :
         {size_t{1} << 12, size_t{1} << 16, size_t{1} << 20, size_t{8} << 20, size_t{64} << 20})
      trees.emplace_back(bytes, time_allreduce(comm, bytes));
  if (comm.rank() != 0) return 0;
  const DeviceInfo device = backend->device();
  const std::string how = fmt::format("convoy calibrate, {} rank{} on {} node{}", comm.size(),
                                      comm.size() == 1 ? "" : "s", nodes, nodes == 1 ? "" : "s");
  // One rank, or one node: nothing between to be measured, so that what there is stands for both, and says so.
  const Link none{1e-6, 1e10, false};
  const Link& in = inside.measured ? inside : outside.measured ? outside : none;
  const Link& out = outside.measured ? outside : in;
  const std::string pair = how + ", half a round trip of one pair";
  const std::string said_in = inside.measured    ? pair
                              : outside.measured ? "as between nodes"
                                                 : "no second rank: a guess";
  const std::string said_out = outside.measured ? pair : "one node only, as inside: " + said_in;
  std::string text = fmt::format(
      "# Written by {} with {} on {}, {} thread{} a rank.\nname = {}\ndescription = {}\n\n"
      "[nodes]\ncount = {}\nranks = {}\nsource = \"measured: {}\"\n\n[network]\n{}{}\n[inside]\n{}{}\n[rank]\n{}{}{}{}\n"
      "[[step]]\nnetwork = \"{}\"\nimages = {}\n{}# After these shares of the step the gradient buckets were complete.\n"
      "ready = [{:.3f}]\n",
      how, device.library, device.hardware, device.threads, device.threads == 1 ? "" : "s",
      toml_string(flags.name), toml_string(device.backend + " on " + device.hardware), nodes, on_first, how,
      number("bandwidth", out.bandwidth, said_out, outside.measured),
      number("latency", out.latency, said_out, outside.measured),
      number("bandwidth", in.bandwidth, said_in, inside.measured),
      number("latency", in.latency, said_in, inside.measured),
      number("memory_bandwidth", step.memory_bandwidth, "the optimizer's update, all threads of a rank"),
      number("sum_bandwidth", sums_bandwidth, "8 Mi additions of f32, one thread"),
      number("spread", std::min(step.spread, 1.0), fmt::format("{} steps of every rank", flags.steps)),
      loaded > 0 ? number("loader", loaded, fmt::format("threads: {}, all ranks at once", affinity.threads))
                 : "",
      experiment.network.model, runs_of(experiment).images,
      number("seconds", step.seconds, fmt::format("median of {} steps of every rank, together", flags.steps)),
      fmt::join(step.ready, ", "));
  if (!trees.empty()) {
    const simulate::Cluster cluster = simulate::parse_cluster_text(text, flags.out);
    text +=
        "\n# The fixed-order tree over all these ranks, measured, and by the closed form of the values above:\n";
    for (const auto& [bytes, seconds] : trees)
      text += fmt::format(
          "#   {:>9} bytes  {:.6f} s  {:.6f} s\n", bytes, seconds,
          allreduce_seconds(simulate::Algorithm::tree, alpha_beta(cluster, simulate::Basis::calibration),
                            comm.size(), static_cast<double>(bytes)));
  }
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
