#include "cli/train_flags.h"

#include <filesystem>

#include "backends/registry.h"
#include "base/error.h"
#include "cli/device_input.h"
#include "cli/tree.h"
#include "train/run_directory.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;

void remember_path(Experiment& experiment, fs::path InputOptions::*member, const std::string& key,
                   const std::string& path) {
  if (path.empty()) return;
  experiment.data.*member = fs::absolute(path).lexically_normal();
  experiment.origins["data." + key] = "flag";
}

void remember_weights(Experiment& experiment, const TrainFlags& flags) {
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

Experiment read_experiment(const TrainFlags& flags) {
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

void add_train_flags(CLI::App& command, TrainFlags& flags) {
  command.add_option("job", flags.job, "a job file; may be left out with --resume")->type_name("JOB");
  command.add_option("--train", flags.train, "packed training set (default: the job's data.train)")
      ->type_name("FOLDER");
  command.add_option("--held-out", flags.held_out, "packed held-out set (default: the job's data.held_out)")
      ->type_name("FOLDER");
  command
      .add_option("--weights", flags.weights,
                  "initial weights: a safetensors file with torchvision's names; part of the experiment")
      ->type_name("FILE");
  command
      .add_option("--fresh", flags.fresh,
                  "layers that start as without the file, with commas between: fc, for other classes")
      ->type_name("LAYERS");
  command.add_option("--set", flags.overrides, "section.key=value over the job's, may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--out", flags.out, "new folder for the run (default: runs/<time>_<name>)")
      ->type_name("FOLDER");
  command
      .add_option("--resume", flags.resume,
                  "go on with this run at the exact step; auto: with --out, or begin there")
      ->type_name("RUN");
  command
      .add_option("--backend", flags.placement.backends,
                  "one for all ranks, or one a rank, separated by commas")
      ->type_name(choices_text(backend_names()))
      ->capture_default_str()
      ->allow_extra_args(false)
      ->delimiter(',');
  command
      .add_option("--threads", flags.placement.threads,
                  "compute threads a rank (default: its cores, but for two of 32 or more); bits depend on it")
      ->check(CLI::Range(0, kMostThreads));
  command
      .add_option("--loader-threads", flags.loader_threads,
                  "image decoder threads a rank (default: as --threads)")
      ->check(CLI::Range(0, kMostThreads));
  add_device_input(command, flags.device_input);
  command
      .add_option("--road", flags.placement.road,
                  "allreduce: tree (same bits on any 2^k ranks) or library (MPI's, any rank count)")
      ->capture_default_str()
      ->check(one_of({"tree", "library"}));
  command
      .add_option(
          "--shares", flags.shares,
          "workers of each rank, with commas between; auto: by the ranks' speeds, measured first (--road "
          "library; default: even)")
      ->type_name("N,N,...|auto");
  command.add_flag("--no-overlap", flags.no_overlap, "sum gradients after the backward pass; the same bits");
  command.add_flag("--oversubscribe", flags.oversubscribe, "let ranks share cores (tests)");
  command
      .add_option("--stall-limit", flags.stall_seconds,
                  "seconds without progress of the allreduce before the job is ended (0: never)")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--stop-after", flags.stop_after,
                  "stop as a signal would when so many steps of the run are done (0: never)")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option(
          "--time-limit", flags.time_limit,
          "MM:SS, HH:MM:SS or D-HH:MM:SS: stop as a signal would before this long has passed (a batch job's own "
          "end is known where the scheduler tells it)")
      ->type_name("TIME");
  command
      .add_option("--check-weights", flags.check_every,
                  "compare the ranks' weights every so many steps (0: at evaluations alone)")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  add_checkpoint_flags(command, flags.checkpoints);
  add_elastic_flags(command, flags.elastic);
  add_observe_flags(command, flags.observe);
  command.add_flag("--dry-run", flags.dry_run, "check everything, say what would be trained; write nothing");
  add_levels(command, flags.voice);
  add_json(command, flags.voice.json);
}

}  // namespace convoy::cli
