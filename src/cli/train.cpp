// convoy train JOB: one experiment on the ranks that mpirun (or srun, flux, ...) started.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "backends/registry.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/datasets.h"
#include "cli/device_input.h"
#include "cli/elastic.h"
#include "cli/loaders.h"
#include "cli/observe.h"
#include "cli/session.h"
#include "cli/shares.h"
#include "cli/signals.h"
#include "cli/train_report.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "comm/affinity.h"
#include "interop/initial_weights.h"
#include "net/program.h"
#include "train/fingerprint.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/port_options.h"
#include "train/run_record.h"
#include "train/schedule.h"
#include "train/trainer.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;

struct Flags {
  std::string job, train, held_out, out, resume, weights, fresh;
  std::vector<std::string> overrides;
  PlacementOptions placement;
  CheckpointPolicy checkpoints;
  int64_t stall_seconds = 600, stop_after = 0, check_every = 100;
  std::string time_limit;
  ElasticFlags elastic;
  ObserveFlags observe;
  int loader_threads = 0;
  std::string shares;  // "": even; "auto"; or a list
  std::string device_input = "none";
  bool device_input_given = false;
  bool backend_given = false, threads_given = false, road_given = false;
  bool oversubscribe = false, no_overlap = false, dry_run = false;
  Voice voice;
};

// What was given by flag is part of what the run remembers.
void remember_path(Experiment& experiment, fs::path InputOptions::*member, const std::string& key,
                   const std::string& path) {
  if (path.empty()) return;
  experiment.data.*member = fs::absolute(path).lexically_normal();
  experiment.origins["data." + key] = "flag";
}

// --resume auto: of what is in --out, by rank 0's word.
Flags settled(Flags flags, Communicator& comm) {
  require(flags.resume.empty() || flags.resume == "auto" || flags.out.empty(), Exit::usage,
          "--resume {} goes on in that folder: leave --out away, or say --resume auto", flags.resume);
  if (flags.resume != "auto") return flags;
  require(!flags.out.empty() && !flags.job.empty(), Exit::usage,
          "--resume auto needs a job file and --out RUN: the folder to go on with, or else to begin");
  const bool begun = fs::is_directory(RunDirectory{flags.out}.checkpoints());
  flags.resume = comm.gather(begun ? flags.out : "").front();
  if (!flags.resume.empty()) flags.out.clear();
  return flags;
}

void remember_weights(Experiment& experiment, const Flags& flags) {
  TrainOptions& train = experiment.train;
  if (!flags.weights.empty()) {
    train.weights = fs::absolute(flags.weights).lexically_normal();
    experiment.origins["train.weights"] = "flag";
  }
  if (flags.fresh.empty()) return;
  require(!train.weights.empty(), Exit::usage, "--fresh {} is of use with --weights FILE only", flags.fresh);
  train.fresh = flags.fresh;
  experiment.origins["train.fresh"] = "flag";
}

Experiment read_experiment(const Flags& flags) {
  require(flags.resume.empty() || !flags.job.empty() || fs::exists(RunDirectory{flags.resume}.config()),
          Exit::usage,
          "{} holds no run to go on with: --resume takes the folder that an earlier `convoy train` named",
          flags.resume);
  const fs::path job = flags.job.empty() ? RunDirectory{flags.resume}.config() : fs::path(flags.job);
  Experiment experiment = parse_experiment(job, flags.overrides);
  remember_path(experiment, &InputOptions::train, "train", flags.train);
  remember_path(experiment, &InputOptions::held_out, "held_out", flags.held_out);
  remember_weights(experiment, flags);
  return experiment;
}

// What the newest checkpoint of the run that goes on was computed with; "" where none does.
std::string fingerprint_before(const Flags& flags, Communicator& comm) {
  if (flags.resume.empty()) return "";
  const RunDirectory run{flags.resume};
  return comm.gather(comm.rank() == 0 ? newest_fingerprint(run.checkpoints()) : "").front();
}

// A plain --resume computes as the run did, or the bits would differ from an undisturbed run's; flags win.
PlacementOptions placement_of(const Flags& flags, const std::string& before, Communicator& comm) {
  PlacementOptions wanted = flags.placement;
  wanted.overlap = !flags.no_overlap;
  wanted.stall_limit = std::chrono::seconds(flags.stall_seconds);
  if (!flags.shares.empty() && flags.shares != "auto") wanted.counts = read_shares(flags.shares);
  if (before.empty()) return wanted;
  const auto one_for_all = [&](const char* key) {  // of ranks that differed there is none to take
    const std::string value = fingerprint_value(before, key);
    return value.find(" + ") == std::string::npos ? value : "";
  };
  const std::string backend = one_for_all("backend"), threads = one_for_all("threads"),
                    road = one_for_all("road");
  if (!flags.backend_given && !backend.empty()) wanted.backends = {backend};
  if (!flags.threads_given && !threads.empty()) wanted.threads = std::stoi(threads);
  if (!flags.road_given && !road.empty()) wanted.road = road;
  const std::string shares = fingerprint_value(before, "shares");
  if (flags.shares.empty() && wanted.road == "library" && std::ranges::count(shares, ',') + 1 == comm.size())
    wanted.counts = read_shares(shares);
  return wanted;
}

// The same of what the devices do with images: decoders differ in their bits. A backend that has none goes on without; that
// its fingerprint is another is said then.
DeviceInput input_wanted(const Flags& flags, const std::string& before, const std::string& backend) {
  const bool decoded = fingerprint_value(before, "library").find(", nvJPEG ") != std::string::npos;
  return decoded && !flags.device_input_given && backend.starts_with("cudnn") ? DeviceInput::files
                                                                              : input_of(flags.device_input);
}

// On the library's road, devices that are all of one kind may sum among themselves.
DeviceSums sums_of(Backend& backend, const Placement& placement, Communicator& comm) {
  const auto& all = placement.backends;
  const bool alike = std::ranges::all_of(all, [&](const std::string& name) { return name == all.front(); });
  if (placement.reducer.road != Road::library || comm.size() == 1 || !alike) return {};
  return backend.sums_over(comm);
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

// Whether a run that has just diverged is to be tried once more from its last checkpoint. A fault of the hardware does not
// come back; what fails twice in the same step is the experiment's own.
bool rolls_back(const Experiment& experiment, const Outcome& outcome, int64_t failed_before, const Log& log) {
  if (outcome.exit != Exit::diverged || experiment.train.on_nonfinite != "roll-back") return false;
  if (outcome.steps == failed_before) {
    log.warn("step {} has failed twice: this is no fault of the hardware", outcome.steps);
    return false;
  }
  log.warn("{}; going back to the last checkpoint", outcome.reason);
  return true;
}

int train_rank(const Flags& given, const Context& context, Communicator& comm) {
  const Flags flags = settled(given, comm);
  const Deadline deadline = deadline_of(flags.time_limit);
  require(!flags.job.empty() || !flags.resume.empty(), Exit::usage,
          "name a job file (jobs/*.toml), or --resume RUN");
  Experiment experiment = read_experiment(flags);
  const std::string before = fingerprint_before(flags, comm);
  PlacementOptions wanted = placement_of(flags, before, comm);
  const Affinity affinity = place(comm, {.threads = wanted.threads,
                                         .allow_overlap = flags.oversubscribe,
                                         .flush_denormals = flushes_denormals(experiment, wanted.backends)});
  wanted.threads = affinity.threads;
  const int together = workers_together(experiment);
  // Even shares before the ranks' speeds are known: what is wrong with them is said before anything is computed.
  Placement placement = place(experiment.minibatch.workers, comm.size(), wanted, together);
  const std::string backend_name = placement.backends.at(static_cast<size_t>(comm.rank()));
  const DeviceInput input_here = input_wanted(flags, before, backend_name);
  auto computing = make_backend(backend_name, placement.threads, turn_on_host(comm, backend_name),
                                precision_of(experiment), input_here);
  const DeviceInput input = input_on(*computing, input_here, flags.device_input_given, comm);
  if (flags.shares == "auto") {
    wanted.counts = shares_by_speed(experiment, wanted.road, *computing, comm, flags.voice);
    placement = place(experiment.minibatch.workers, comm.size(), wanted, together);
  }
  Tracing tracing(flags.observe, comm.rank() == 0);  // outlives all that tell it of their spans
  placement.reducer.spans = tracing.sink();
  const Sets sets = open_sets(experiment, "", "", comm, Presence::required);
  const Graph graph = make_network(experiment.network, sets.train.classes);
  const auto backend = tracing.around(std::move(computing));

  require_sound(experiment, graph, sets.train);
  const int threads = flags.loader_threads > 0 ? flags.loader_threads : affinity.threads;
  const auto open_loaders = [&] {
    return loaders_of_rank(sets, experiment, placement, comm, threads, input, tracing.sink());
  };
  Loaders loaders = open_loaders();

  const bool resume = !flags.resume.empty();
  const auto doubts = complete_with_weights(experiment, graph, resume && flags.weights.empty(), comm);
  if (flags.dry_run) {
    const Schedule schedule(experiment, sets.train.samples);
    if (comm.rank() == 0)
      report_forecast({experiment, schedule, placement, resume ? flags.resume : flags.out, resume},
                      flags.voice);
    return 0;
  }
  const RunDirectory directory =
      open_run_directory(resume ? flags.resume : flags.out, resume, experiment, comm);
  const Log log = flags.voice.log(comm.rank(), comm.host(), comm.rank() == 0 ? directory.log().string() : "");
  const DeviceSums sums = sums_of(*backend, placement, comm);
  Communicator& job_comm = sums.communicator ? *sums.communicator : comm;
  const auto copies = backend->host_copies();  // outlives every attempt's reducer
  placement.reducer.copies = copies.get();
  placement.reducer.device_sums = sums.communicator != nullptr;
  if (comm.rank() == 0 && !sums.note.empty()) log.info("{}", sums.note);
  for (const std::string& line : affinity.map) log.detail("{}", line);
  if (comm.rank() == 0)
    for (const std::string& line : affinity.warnings) log.warn("{}", line);
  for (const std::string& line : doubts) log.warn("{}", line);

  comm.limit_waits(std::chrono::seconds(flags.stall_seconds));
  const StopSignals signals;
  const auto attempt = [&](bool resuming) {
    auto record = std::make_unique<Record>();  // silent
    if (comm.rank() == 0) {
      describe_run(directory, experiment, context.arguments);
      if (!fs::exists(directory.classes())) write_class_names(directory.classes(), names_of(*sets.training));
      const Progress::Style style = flags.voice.quiet ? Progress::Style::none : Progress::detect();
      record = std::make_unique<RunRecord>(RunFacts{directory, experiment, sets.train, sets.held_out,
                                                    placement, context.arguments, job_comm.library()},
                                           log, Progress(style, log));
    }
    const auto observers = observe(flags.observe, tracing, std::move(record),
                                   {experiment, sets.train, sets.held_out, directory, comm, log});
    CheckpointPolicy checkpoints = flags.checkpoints;
    checkpoints.directory = directory.checkpoints();
    checkpoints.resume = resuming;
    return train_recorded({.experiment = experiment,
                           .placement = placement,
                           .graph = graph,
                           .comm = job_comm,
                           .backend = *backend,
                           .images = *loaders.images,
                           .held_out = loaders.held_out.get(),
                           .train_facts = sets.train,
                           .held_out_facts = sets.held_out,
                           .checkpoints = checkpoints,
                           .record = *observers,
                           .log = log,
                           .stop = &signals.asked(),
                           .stop_after = flags.stop_after,
                           .deadline = deadline,
                           .check_every = flags.check_every,
                           .start = start_of(experiment, graph)},
                          directory);
  };
  Outcome outcome = attempt(resume);
  for (int64_t failed = -1; rolls_back(experiment, outcome, failed, log);) {
    failed = outcome.steps;
    loaders = open_loaders();
    outcome = attempt(true);
  }
  if (comm.rank() == 0) {
    if (!outcome.reason.empty()) log.warn("{}", outcome.reason);
    report_outcome(outcome, directory, flags.voice);
  }
  return static_cast<int>(outcome.exit);
}

ElasticRun elastic_run(const Flags& flags) {
  require(!flags.job.empty() && !flags.out.empty() && (flags.resume.empty() || flags.resume == "auto"),
          Exit::usage, "--elastic needs a job file and --out RUN: the folder to begin, or to go on with");
  return {read_experiment(flags).minibatch.workers, RunDirectory{flags.out}.checkpoints()};
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
  set_examples(*command,
               {"mpirun -n 8 convoy train jobs/goyal-256.toml --train set/train --held-out set/val \\",
                "  --out runs/first", "mpirun -n 4 convoy train --resume runs/first",
                "convoy train jobs/demo.toml --set train.epochs=1 --dry-run"});
  command->footer(
      "SIGTERM, SIGINT or SIGUSR1: a checkpoint, then exit code 85 (requeue me). Open MPI's mpirun passes "
      "all three on, but\n"
      "kills what is left one second after a SIGTERM: send it SIGUSR1, or give it --mca "
      "odls_base_sigkill_timeout 60.");
  auto flags = std::make_shared<Flags>();
  command->add_option("job", flags->job, "a job file; may be left out with --resume")->type_name("JOB");
  command->add_option("--train", flags->train, "packed training set (default: the job's data.train)")
      ->type_name("FOLDER");
  command->add_option("--held-out", flags->held_out, "packed held-out set (default: the job's data.held_out)")
      ->type_name("FOLDER");
  command
      ->add_option("--weights", flags->weights,
                   "initial weights: a safetensors file with torchvision's names; part of the experiment")
      ->type_name("FILE");
  command
      ->add_option("--fresh", flags->fresh,
                   "layers that start as without the file, with commas between: fc, for other classes")
      ->type_name("LAYERS");
  command->add_option("--set", flags->overrides, "section.key=value over the job's, may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("--out", flags->out, "new folder for the run (default: runs/<time>_<name>)")
      ->type_name("FOLDER");
  command
      ->add_option("--resume", flags->resume,
                   "go on with this run at the exact step; auto: with --out, or begin there")
      ->type_name("RUN");
  command
      ->add_option("--backend", flags->placement.backends,
                   "one for all ranks, or one a rank, separated by commas")
      ->type_name(choices_text(backend_names()))
      ->capture_default_str()
      ->allow_extra_args(false)
      ->delimiter(',');
  command
      ->add_option(
          "--threads", flags->placement.threads,
          "compute threads a rank (default: its cores, but for two of 32 or more); bits depend on it")
      ->check(CLI::Range(0, 4096));
  command
      ->add_option("--loader-threads", flags->loader_threads,
                   "image decoder threads a rank (default: as --threads)")
      ->check(CLI::Range(0, 4096));
  add_device_input(*command, flags->device_input);
  command
      ->add_option("--road", flags->placement.road,
                   "allreduce: tree (same bits on any 2^k ranks) or library (MPI's, any rank count)")
      ->capture_default_str()
      ->check(one_of({"tree", "library"}));
  command
      ->add_option(
          "--shares", flags->shares,
          "workers of each rank, with commas between; auto: by the ranks' speeds, measured first (--road "
          "library; default: even)")
      ->type_name("N,N,...|auto");
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
  command
      ->add_option(
          "--time-limit", flags->time_limit,
          "MM:SS, HH:MM:SS or D-HH:MM:SS: stop as a signal would before this long has passed (a batch job's own "
          "end is known where the scheduler tells it)")
      ->type_name("TIME");
  command
      ->add_option("--check-weights", flags->check_every,
                   "compare the ranks' weights every so many steps (0: at evaluations alone)")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  add_checkpoint_flags(*command, flags->checkpoints);
  add_elastic_flags(*command, flags->elastic);
  add_observe_flags(*command, flags->observe);
  command->add_flag("--dry-run", flags->dry_run,
                    "check everything, say what would be trained; write nothing");
  add_levels(*command, flags->voice);
  add_json(*command, flags->voice.json);
  command->callback([&context, flags, command] {
    flags->backend_given = command->count("--backend") > 0;
    flags->device_input_given = command->count("--device-input") > 0;
    flags->threads_given = command->count("--threads") > 0;
    flags->road_given = command->count("--road") > 0;
    context.chosen = [flags, &context] {
      if (flags->elastic.wanted())
        return supervise(flags->elastic, elastic_run(*flags), context.arguments, flags->voice.log());
      return under_mpi(context, [&](Communicator& comm) { return train_rank(*flags, context, comm); });
    };
  });
}

}  // namespace convoy::cli
