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
#include "cli/train_flags.h"
#include "cli/train_report.h"
#include "cli/train_resume.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "comm/affinity.h"
#include "interop/initial_weights.h"
#include "net/program.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/port_options.h"
#include "train/run_record.h"
#include "train/schedule.h"
#include "train/trainer.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;

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

int train_rank(const TrainFlags& given, const Context& context, Communicator& comm) {
  const TrainFlags flags = settled(given, comm);
  const Deadline deadline = deadline_of(flags.time_limit);
  require(!flags.job.empty() || !flags.resume.empty(), Exit::usage,
          "name a job file (jobs/*.toml), or --resume RUN");
  Experiment experiment = read_experiment(flags);
  const std::string before = fingerprint_before(flags, comm);
  PlacementOptions wanted = placement_of(flags, before, comm.size());
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

ElasticRun elastic_run(const TrainFlags& flags) {
  require(!flags.job.empty() && !flags.out.empty() && (flags.resume.empty() || flags.resume == "auto"),
          Exit::usage, "--elastic needs a job file and --out RUN: the folder to begin, or to go on with");
  return {read_experiment(flags).minibatch.workers, RunDirectory{flags.out}.checkpoints()};
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
  auto flags = std::make_shared<TrainFlags>();
  add_train_flags(*command, *flags);
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
