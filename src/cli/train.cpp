// convoy train JOB: one experiment on the ranks that mpirun (or srun, flux, ...) started.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "backends/registry.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/datasets.h"
#include "cli/observe.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "comm/affinity.h"
#include "data/loader.h"
#include "net/program.h"
#include "train/fingerprint.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/run_record.h"
#include "train/schedule.h"
#include "train/trainer.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;

struct Flags {
  std::string job, train, held_out, out, resume;
  std::vector<std::string> overrides;
  PlacementOptions placement;
  CheckpointPolicy checkpoints;
  ObserveFlags observe;
  int64_t stall_seconds = 600, stop_after = 0;
  int loader_threads = 0;
  bool backend_given = false, threads_given = false, road_given = false;
  bool oversubscribe = false, no_overlap = false, quiet = false, verbose = false;
};

// What was given by flag is part of what the run remembers.
void remember_path(Experiment& experiment, fs::path InputOptions::*member, const std::string& key,
                   const std::string& path) {
  if (path.empty()) return;
  experiment.data.*member = fs::absolute(path).lexically_normal();
  experiment.origins["data." + key] = "flag";
}

Experiment read_experiment(const Flags& flags) {
  require(flags.resume.empty() || fs::exists(RunDirectory{flags.resume}.config()), Exit::usage,
          "{} holds no run to go on with: --resume takes the folder that an earlier `convoy train` named",
          flags.resume);
  const fs::path job = flags.job.empty() ? RunDirectory{flags.resume}.config() : fs::path(flags.job);
  Experiment experiment = parse_experiment(job, flags.overrides);
  remember_path(experiment, &InputOptions::train, "train", flags.train);
  remember_path(experiment, &InputOptions::held_out, "held_out", flags.held_out);
  return experiment;
}

std::unique_ptr<Loader> make_rank_loader(const std::shared_ptr<const Dataset>& dataset,
                                         const Experiment& experiment, bool training,
                                         const MinibatchOptions& batches, std::vector<int> mine, int threads,
                                         SpanSink* spans) {
  LoaderOptions options;
  options.training = training;
  options.seed = experiment.train.seed;
  options.workers = batches.workers;
  options.batch = batches.images;
  options.transform = transform_of(experiment.data);
  options.local_workers = std::move(mine);
  options.threads = threads;
  options.spans = spans;
  return make_loader(dataset, options);
}

std::vector<int> all_of(const Share& share) {
  std::vector<int> all;
  for (int i = 0; i < share.count; ++i) all.push_back(share.first + i);
  return all;
}

// A plain --resume computes as the run did, or the bits would differ from an undisturbed run's; flags win.
PlacementOptions placement_of(const Flags& flags, Communicator& comm) {
  PlacementOptions wanted = flags.placement;
  wanted.overlap = !flags.no_overlap;
  wanted.stall_limit = std::chrono::seconds(flags.stall_seconds);
  if (flags.resume.empty()) return wanted;
  const RunDirectory run{flags.resume};
  const std::string before =
      comm.gather(comm.rank() == 0 ? newest_fingerprint(run.checkpoints()) : "").front();
  const auto one_for_all = [&](const char* key) {  // of ranks that differed there is none to take
    const std::string value = fingerprint_value(before, key);
    return value.find(" + ") == std::string::npos ? value : "";
  };
  const std::string backend = one_for_all("backend"), threads = one_for_all("threads"),
                    road = one_for_all("road");
  if (!flags.backend_given && !backend.empty()) wanted.backends = {backend};
  if (!flags.threads_given && !threads.empty()) wanted.threads = std::stoi(threads);
  if (!flags.road_given && !road.empty()) wanted.road = road;
  return wanted;
}

// An error leaves no run that seems to go on.
Outcome train_recorded(const Job& job, const RunDirectory& directory) {
  try {
    return train(job);
  } catch (const std::exception&) {
    const Error error = current_error();
    const std::string who =
        job.comm.size() > 1 ? fmt::format("rank {} on {}: ", job.comm.rank(), job.comm.host()) : "";
    job.record.fail(static_cast<int>(error.code()), who + error.what());
    if (job.comm.rank() != 0) mark_failed(directory, static_cast<int>(error.code()), who + error.what());
    throw error;
  }
}

// What train() would refuse is refused before there is a folder for the run.
void require_sound(const Experiment& experiment, const Graph& graph, const DatasetFacts& set) {
  const Schedule schedule(experiment, set.samples);
  lower(graph, runs_of(experiment).images);
  make_optimizer(experiment.optimizer);
}

int train_rank(const Flags& flags, const Context& context, Communicator& comm) {
  require(!flags.job.empty() || !flags.resume.empty(), Exit::usage,
          "name a job file (jobs/*.toml), or --resume RUN");
  const Experiment experiment = read_experiment(flags);
  const PlacementOptions wanted = placement_of(flags, comm);
  Placement placement =
      place(experiment.minibatch.workers, comm.size(), wanted, workers_together(experiment));

  const Affinity affinity =
      place(comm, AffinityOptions{.threads = wanted.threads, .allow_overlap = flags.oversubscribe});
  placement.threads = affinity.threads;
  Tracing tracing(flags.observe, comm.rank() == 0);  // outlives all that tell it of their spans
  placement.reducer.spans = tracing.sink();
  const Sets sets = open_sets(experiment, "", "", comm, Presence::required);
  const Graph graph = make_network(experiment.network, sets.train.classes);
  const auto backend = tracing.around(
      make_backend(placement.backends.at(static_cast<size_t>(comm.rank())), placement.threads));

  const int threads = flags.loader_threads > 0 ? flags.loader_threads : affinity.threads;
  const auto images = make_rank_loader(sets.training, experiment, true, runs_of(experiment),
                                       all_of(placement.runs(comm.rank())), threads, tracing.sink());
  std::unique_ptr<Loader> held_out;
  if (sets.evaluation)
    held_out = make_rank_loader(sets.evaluation, experiment, false,
                                {comm.size(), experiment.minibatch.images}, {comm.rank()}, threads, nullptr);
  require_sound(experiment, graph, sets.train);

  const bool resume = !flags.resume.empty();
  const RunDirectory directory =
      open_run_directory(resume ? flags.resume : flags.out, resume, experiment, comm);
  const Log::Level level = flags.quiet     ? Log::Level::quiet
                           : flags.verbose ? Log::Level::verbose
                                           : Log::Level::normal;
  const Log log(level, comm.rank(), comm.host(), comm.rank() == 0 ? directory.log().string() : "");
  for (const std::string& line : affinity.map) log.detail("{}", line);
  if (comm.rank() == 0)
    for (const std::string& line : affinity.warnings) log.warn("{}", line);

  auto record = std::make_unique<Record>();  // silent
  if (comm.rank() == 0) {
    describe_run(directory, experiment, context.arguments);
    const Progress::Style style = flags.quiet ? Progress::Style::none : Progress::detect();
    record = std::make_unique<RunRecord>(RunFacts{directory, experiment, sets.train, sets.held_out, placement,
                                                  context.arguments, comm.library()},
                                         log, Progress(style, log));
  }
  const auto observers = observe(flags.observe, tracing, std::move(record),
                                 {experiment, sets.train, sets.held_out, directory, comm, log});
  CheckpointPolicy checkpoints = flags.checkpoints;
  checkpoints.directory = directory.checkpoints();
  checkpoints.resume = resume;
  const StopSignals signals;
  const Job job{.experiment = experiment,
                .placement = placement,
                .graph = graph,
                .comm = comm,
                .backend = *backend,
                .images = *images,
                .held_out = held_out.get(),
                .train_facts = sets.train,
                .held_out_facts = sets.held_out,
                .checkpoints = checkpoints,
                .record = *observers,
                .log = log,
                .stop = &signals.asked(),
                .stop_after = flags.stop_after};
  const Outcome outcome = train_recorded(job, directory);
  if (comm.rank() == 0) {
    if (!outcome.reason.empty()) log.warn("{}", outcome.reason);
    fmt::print("{} steps, digest {}\n", outcome.steps, outcome.digest);
    if (outcome.held_out)
      fmt::print("held-out top-1 {:.2f} % ({} of {} images)\n",
                 100.0 * static_cast<double>(outcome.held_out->correct1) /
                     static_cast<double>(outcome.held_out->images),
                 outcome.held_out->correct1, outcome.held_out->images);
    fmt::print("result  {}\n", directory.result().string());
  }
  return static_cast<int>(outcome.exit);
}

void add_checkpoint_flags(CLI::App& command, CheckpointPolicy& policy) {
  command
      .add_option("--checkpoint-steps", policy.every_steps,
                  "a checkpoint every so many steps (0: none by steps)")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--checkpoint-epochs", policy.every_epochs, "and every so many epochs (0: none by epochs)")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command.add_option("--keep", policy.keep, "checkpoints to keep")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}

}  // namespace

void add_train(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("train", "train a job's experiment; under mpirun on many ranks");
  command->footer(
      "  mpirun -n 8 convoy train jobs/goyal-256.toml --train set/train --held-out set/val --out "
      "runs/first\n"
      "  mpirun -n 4 convoy train --resume runs/first\n"
      "SIGTERM, SIGINT or SIGUSR1: a checkpoint, then exit code 85 (requeue me). Open MPI's mpirun passes "
      "all three on, but\n"
      "kills what is left one second after a SIGTERM: send it SIGUSR1, or give it --mca "
      "odls_base_sigkill_timeout 60.");
  auto flags = std::make_shared<Flags>();
  command->add_option("job", flags->job, "a job file; may be left out with --resume");
  command->add_option("--train", flags->train, "packed training set (default: the job's data.train)");
  command->add_option("--held-out", flags->held_out,
                      "packed held-out set (default: the job's data.held_out)");
  command->add_option("--set", flags->overrides, "section.key=value over the job's, may be repeated")
      ->allow_extra_args(false);
  command->add_option("--out", flags->out, "new folder for the run (default: runs/<time>_<name>)");
  command->add_option("--resume", flags->resume, "go on with this run at the exact step")->excludes("--out");
  command
      ->add_option("--backend", flags->placement.backends,
                   "one for all ranks, or one a rank: " + fmt::format("{}", fmt::join(backend_names(), ", ")))
      ->capture_default_str()
      ->allow_extra_args(false)
      ->delimiter(',');
  command
      ->add_option("--threads", flags->placement.threads,
                   "compute threads a rank (default: its cores); bits depend on it")
      ->check(CLI::Range(0, 4096));
  command
      ->add_option("--loader-threads", flags->loader_threads,
                   "image decoder threads a rank (default: as --threads)")
      ->check(CLI::Range(0, 4096));
  command
      ->add_option("--road", flags->placement.road,
                   "allreduce: tree (same bits on any 2^k ranks) or library (MPI's, any rank count)")
      ->capture_default_str()
      ->check(CLI::IsMember({"tree", "library"}));
  command->add_flag("--no-overlap", flags->no_overlap,
                    "sum gradients after the backward pass; the same bits");
  command->add_flag("--oversubscribe", flags->oversubscribe, "let ranks share cores (tests)");
  command
      ->add_option("--stall-limit", flags->stall_seconds,
                   "seconds without progress of the allreduce before the job is ended (0: never)")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--stop-after", flags->stop_after,
                   "stop as a signal would when so many steps of the run are done (0: never)")
      ->check(CLI::NonNegativeNumber);
  add_checkpoint_flags(*command, flags->checkpoints);
  add_observe_flags(*command, flags->observe);
  command->add_flag("--quiet", flags->quiet, "warnings only");
  command->add_flag("--verbose", flags->verbose, "also placement and plan details");
  command->callback([&context, flags, command] {
    flags->backend_given = command->count("--backend") > 0;
    flags->threads_given = command->count("--threads") > 0;
    flags->road_given = command->count("--road") > 0;
    context.chosen = [flags, &context] {
      return under_mpi(context, [&](Communicator& comm) { return train_rank(*flags, context, comm); });
    };
  });
}

}  // namespace convoy::cli
