// convoy bench JOB: how fast this machine does a job's parts, each by itself.
#include "cli/bench.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "backends/registry.h"
#include "base/denormals.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/bench_layers.h"
#include "cli/commands.h"
#include "cli/device_input.h"
#include "cli/measure.h"
#include "cli/session.h"
#include "cli/tree.h"
#include "cli/trial.h"
#include "cli/voice.h"
#include "comm/affinity.h"
#include "comm/launch.h"
#include "comm/tree.h"
#include "data/loader.h"
#include "net/cost.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/port_options.h"
#include "train/run_directory.h"
#include "train/schedule.h"
#include "train/tool.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* known[] = {"step", "infer", "layers", "allreduce", "loader", "epoch"};

struct Flags {
  std::string job, train, out, against, backend = "onednn";
  std::vector<std::string> overrides, modes;
  int threads = 0, rounds = 7;
  std::string device_input = "none";
  bool oversubscribe = false;
  Voice voice;
  bool asks(const char* mode) const { return std::ranges::find(modes, mode) != modes.end(); }
};

class Bench {
 public:
  Bench(const Flags& flags, Communicator& comm)
      : flags_(flags),
        comm_(comm),
        experiment_(parse_experiment(flags.job, flags.overrides)),
        affinity_(place(comm, {.threads = flags.threads,
                               .allow_overlap = flags.oversubscribe,
                               .flush_denormals = flushes_denormals(experiment_, {flags.backend})})),
        backend_(make_backend(flags.backend, affinity_.threads, turn_on_host(comm, flags.backend),
                              precision_of(experiment_), input_of(flags.device_input))),
        optimizer_(make_optimizer(experiment_.optimizer)) {}

  BenchSheet run() {
    if (flags_.asks("step")) steps();
    if (flags_.asks("infer")) inference();
    if (flags_.asks("layers")) layers();
    if (flags_.asks("allreduce")) allreduce();
    if (flags_.asks("loader") || flags_.asks("epoch")) data();
    sheet_.context = context();  // now that plans have been made: a device may name the engines that it chose
    return std::move(sheet_);
  }

 private:
  // All ranks'.
  double images() const { return static_cast<double>(runs_of(experiment_).images) * comm_.size(); }

  Json context() const {
    const DeviceInfo device = backend_->device();
    return {{"date", utc_now()},
            {"precision", name_of(precision_of(experiment_))},
            {"convolutions", experiment_.precision.convolutions},
            {"denormals", flushes_denormals() ? "flush" : "keep"},
            {"host_name", comm_.host()},
            {"executable", "convoy"},
            {"num_cpus", std::thread::hardware_concurrency()},
            {"library_build_type", "release"},
            {"convoy", tool_json()},
            {"job", experiment_.name},
            {"ranks", comm_.size()},
            {"backend", device.backend},
            {"library", device.library},
            {"isa", device.isa},
            {"hardware", device.hardware},
            {"threads", device.threads}};
  }

  // One repetition of what every rank does at the same time.
  void repeat(Benchmark& benchmark, const std::function<void()>& work) {
    comm_.barrier();
    const std::clock_t before = std::clock();
    const double seconds = seconds_of(work);
    benchmark.cpu_seconds.push_back(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC);
    benchmark.seconds.push_back(std::ranges::max(gather(comm_, seconds)));
  }

  void steps() {
    Trial trial(experiment_, *backend_, Mode::training, optimizer_states(optimizer_));
    const PassCosts costs = cost_of(trial.program());
    Benchmark step{.name = "step/train", .images = images()}, applied{.name = "step/update"};
    step.flops = static_cast<double>(costs.forward.flops + costs.backward.flops);
    applied.bytes = update_bytes(trial.program().layout, optimizer_states(optimizer_));
    const StepRates rates = Schedule(experiment_, imagenet_images).at(0);
    const auto apply = [&] {
      update(optimizer_, backend_->vector(), trial.program().graph, trial.arena(), rates, 1.0f);
    };
    trial.run();
    apply();
    for (int i = 0; i < flags_.rounds; ++i) {
      repeat(step, [&] { trial.run(); });
      repeat(applied, apply);
    }
    add(std::move(step));
    add(std::move(applied));
  }

  void inference() {
    Trial trial(experiment_, *backend_, Mode::inference, 0);
    Benchmark step{.name = "step/infer",
                   .images = images(),
                   .flops = static_cast<double>(cost_of(trial.program()).forward.flops)};
    trial.run();
    for (int i = 0; i < flags_.rounds; ++i) repeat(step, [&] { trial.run(); });
    add(std::move(step));
  }

  void layers() {
    Trial trial(experiment_, *backend_, Mode::training, 0, {.times_steps = true});
    // It is that of f32 arithmetic: what matrix units do in 16 bits, nothing here measures.
    const Precision precision = precision_of(experiment_);
    if (precision == Precision::f32)
      sheet_.roofline = measure_roofline(affinity_.threads);
    else
      flags_.voice.log().info("no share of a roofline: it is measured in f32, and this job computes in {}",
                              name_of(precision));
    auto times = time_layers(trial, flags_.rounds, affinity_.threads);
    require(!times.empty(), Exit::usage, "backend {} does not tell its layers' times: choose another",
            flags_.backend);
    for (Benchmark& b : times) add(std::move(b));
  }

  void allreduce() {
    if (comm_.size() == 1) {
      flags_.voice.log().warn("allreduce: one rank has nobody to sum with; start several with mpirun");
      return;
    }
    const auto bytes = static_cast<size_t>(
        lower(make_network(experiment_.network, 1000), 1, {.bucket_bytes = bucket_bytes(experiment_)})
            .layout.elements *
        4);
    std::vector<float> values(bytes / sizeof(float), 1.0f),
        scratch(tree_scratch(values.size(), comm_.size()));
    const bool tree_fits = (comm_.size() & (comm_.size() - 1)) == 0;
    Benchmark tree{.name = fmt::format("allreduce/tree/{}", bytes), .bytes = static_cast<double>(bytes)};
    Benchmark library{.name = fmt::format("allreduce/library/{}", bytes),
                      .bytes = static_cast<double>(bytes)};
    for (int i = -1; i < flags_.rounds; ++i) {
      Benchmark warm;
      if (tree_fits)
        repeat(i < 0 ? warm : tree, [&] {
          tree_sum(comm_, values, scratch,
                   [](Communicator::Pending& message, const TreeStep&) { message.wait(); });
        });
      repeat(i < 0 ? warm : library, [&] { comm_.start_sum(values)->wait(); });
      std::ranges::fill(values, 1.0f);
    }
    if (tree_fits) add(std::move(tree));
    add(std::move(library));
  }

  // Batches prepared and nothing else, and with the steps that they are for: what training itself is, without its records.
  void data() {
    const auto set = open_sets(experiment_, flags_.train, "", comm_, Presence::required).training;
    const auto runs = runs_of(experiment_);
    const DeviceInput input = input_on(*backend_, input_of(flags_.device_input), true, comm_);
    const auto open = [&] {
      return make_loader(set, {.seed = experiment_.train.seed,
                               .workers = comm_.size(),
                               .batch = runs.images,
                               .transform = transform_of(experiment_.data),
                               .local_workers = {comm_.rank()},
                               .threads = affinity_.threads,
                               .input = input});
    };
    constexpr int batches = 4;  // a repetition
    const double count = batches * images();
    if (flags_.asks("loader")) {
      Benchmark loader{.name = "loader", .images = count};
      const auto from = open();
      int64_t step = 0;
      for (; step < batches; ++step) from->next(step, comm_.rank());  // what was prepared ahead of the clock
      for (int i = 0; i < flags_.rounds; ++i)
        repeat(loader, [&] {
          for (int b = 0; b < batches; ++b) from->next(step++, comm_.rank());
        });
      add(std::move(loader));
    }
    if (!flags_.asks("epoch")) return;
    Trial trial(experiment_, *backend_, Mode::training, optimizer_states(optimizer_));
    const StepRates rates = Schedule(experiment_, set->samples()).at(0);
    Benchmark whole{.name = "epoch/steps", .images = count};
    const auto from = open();
    int64_t step = 0;
    const auto train = [&] {
      trial.run(from->next(step++, comm_.rank()));
      update(optimizer_, backend_->vector(), trial.program().graph, trial.arena(), rates, 1.0f);
    };
    for (int b = 0; b < batches; ++b) train();
    for (int i = 0; i < flags_.rounds; ++i)
      repeat(whole, [&] {
        for (int b = 0; b < batches; ++b) train();
      });
    Benchmark epoch{.name = "epoch", .seconds = whole.seconds, .cpu_seconds = whole.cpu_seconds};
    epoch.images = static_cast<double>(set->samples());
    for (double& seconds : epoch.seconds) seconds *= epoch.images / count;
    for (double& seconds : epoch.cpu_seconds) seconds *= epoch.images / count;
    add(std::move(whole));
    add(std::move(epoch));
  }

  void add(Benchmark benchmark) { sheet_.benchmarks.push_back(std::move(benchmark)); }

  const Flags& flags_;
  Communicator& comm_;
  Experiment experiment_;
  Affinity affinity_;
  std::unique_ptr<Backend> backend_;
  Optimizer optimizer_;
  BenchSheet sheet_;
};

int bench(const Flags& flags, Communicator& comm) {
  const BenchSheet sheet = Bench(flags, comm).run();
  if (comm.rank() != 0) return 0;
  const Json json = google_benchmark_json(sheet);
  if (!flags.out.empty()) replace_file(flags.out, json.dump(1) + "\n");
  if (flags.voice.json)
    print_json(json);
  else if (!flags.voice.quiet)
    print_sheet(sheet);
  return 0;
}

// The same command line, a round at a time, by this program and the other in turns.
int bench_against(const Flags& flags, const Context& context) {
  const auto claim = launch_claim([](const char* name) -> const char* { return std::getenv(name); });
  require(!claim || claim->ranks == 1, Exit::usage,
          "--against starts both programs itself: start it once, without a launcher of {} ranks",
          claim ? claim->ranks : 0);
  std::vector<std::string> ours{"/proc/self/exe"};
  ours[0] = std::filesystem::read_symlink(ours[0]).string();
  for (size_t i = 1; i < context.arguments.size(); ++i) {
    const std::string& word = context.arguments[i];
    const bool takes_value = word == "--against" || word == "--out" || word == "--rounds";
    const bool dropped = takes_value || word == "--json" || word == "--quiet" || word == "--verbose" ||
                         word.starts_with("--against=") || word.starts_with("--out=") ||
                         word.starts_with("--rounds=");
    if (!dropped) ours.push_back(word);
    if (takes_value) ++i;
  }
  for (const char* word : {"--rounds", "1", "--quiet", "--out"}) ours.emplace_back(word);
  std::vector<std::string> theirs = ours;
  theirs[0] = flags.against;
  const Duel result = duel(ours, theirs, flags.rounds);
  if (!flags.out.empty())
    replace_file(flags.out, Json{{"ours", result.ours}, {"theirs", result.theirs}}.dump(1) + "\n");
  if (flags.voice.json)
    print_json(Json{{"ours", result.ours}, {"theirs", result.theirs}});
  else
    print_duel(result);
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("bench", "time a job's parts on this machine, each by itself");
  set_examples(
      *command,
      {"convoy bench jobs/goyal-1hour.toml", "convoy bench jobs/goyal-1hour.toml layers --out layers.json",
       "mpirun -n 4 convoy bench jobs/goyal-1hour.toml allreduce",
       "convoy bench jobs/goyal-1hour.toml step infer --against ../before/build/bin/convoy"});
  command->footer(
      "step: a worker's minibatch forward and backward, and the update. infer: forward alone. layers: each node, against "
      "the measured roofline, and each kind of work. allreduce: all gradients, by the tree and by the MPI library. loader: batches prepared. "
      "epoch: loader, step and update together.");
  auto flags = std::make_shared<Flags>();
  command->add_option("job", flags->job, "a job file: its network and images a worker are timed")
      ->required()
      ->type_name("JOB");
  command
      ->add_option("what", flags->modes,
                   "of step, infer, layers, allreduce, loader, epoch (default: step infer)")
      ->check(one_of({known, known + std::size(known)}));
  command->add_option("--train", flags->train, "packed set for loader and epoch (default: the job's)")
      ->type_name("FOLDER");
  command->add_option("--set", flags->overrides, "section.key=value, may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("--backend", flags->backend, "what computes")->capture_default_str();
  command
      ->add_option("--threads", flags->threads,
                   "compute threads a rank (default: its cores, but for two of 32 or more)")
      ->check(CLI::Range(0, 4096));
  add_device_input(*command, flags->device_input);
  command->add_option("--rounds", flags->rounds, "repetitions of each; the first try of each is not counted")
      ->capture_default_str()
      ->check(CLI::Range(1, 500));
  command->add_option("--out", flags->out, "write Google Benchmark's JSON, which `convoy compare` reads, too")
      ->type_name("FILE");
  command
      ->add_option(
          "--against", flags->against,
          "another convoy, e.g. of another build: the two take turns, round by round, and their ratio is printed")
      ->type_name("PROGRAM");
  command->add_flag("--oversubscribe", flags->oversubscribe, "let ranks share cores");
  add_levels(*command, flags->voice);
  add_json(*command, flags->voice.json);
  command->callback([&context, flags] {
    if (flags->modes.empty()) flags->modes = {"step", "infer"};
    context.chosen = [flags, &context] {
      if (!flags->against.empty()) return bench_against(*flags, context);
      return under_mpi(context, [&](Communicator& comm) { return bench(*flags, comm); });
    };
  });
}

}  // namespace convoy::cli
