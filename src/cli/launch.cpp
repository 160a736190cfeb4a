// convoy launch JOB --machine FILE: the scripts that run a job on a cluster, and with --submit their submission.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "backends/registry.h"
#include "base/duration.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/tree.h"
#include "launch/scripts.h"
#include "launch/shell.h"
#include "train/experiment.h"
#include "train/placement.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;

struct Flags {
  LaunchRequest request;
  std::string machine, seeds, account, partition, wall_time, stop_before;
  int nodes = 0, ranks_per_node = 0, restarts = -1;
  bool submit = false, dry_run = false, replace = false;
};

uint64_t seed_of(const std::string& word, const std::string& whole) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  require(error == std::errc() && end == word.data() + word.size(), Exit::usage,
          "--seeds {}: write a range such as 1-3, or numbers with commas between", whole);
  return value;
}

// "1-3" or "1,2,5".
std::vector<uint64_t> seeds_of(const std::string& text) {
  std::vector<uint64_t> seeds;
  if (text.empty()) return seeds;
  if (const size_t dash = text.find('-'); dash != std::string::npos) {
    const uint64_t first = seed_of(text.substr(0, dash), text), last = seed_of(text.substr(dash + 1), text);
    require(first <= last && last - first < 1000, Exit::usage,
            "--seeds {}: from the lower to the higher, at most 1000", text);
    for (uint64_t seed = first; seed <= last; ++seed) seeds.push_back(seed);
    return seeds;
  }
  for (const std::string& word : CLI::detail::split(text, ',')) {
    const uint64_t seed = seed_of(word, text);
    require(std::ranges::find(seeds, seed) == seeds.end(), Exit::usage, "--seeds {}: {} is there twice", text,
            seed);
    seeds.push_back(seed);
  }
  return seeds;
}

// Flags win over the machine file.
Site site_of(const Flags& flags) {
  Site site = read_site(flags.machine);
  NodeGroup& node = site.groups[0];
  if (flags.nodes > 0) node.nodes = flags.nodes;
  if (flags.ranks_per_node > 0) node.ranks = flags.ranks_per_node;
  if (!flags.partition.empty()) node.partition = flags.partition;
  if (!flags.account.empty()) site.account = flags.account;
  if (!flags.wall_time.empty()) site.wall_time = parse_duration(flags.wall_time);
  if (!flags.stop_before.empty()) site.stop_before = parse_duration(flags.stop_before);
  if (flags.restarts >= 0) site.restarts = flags.restarts;
  check_site(site);
  // The nodes may have another build than the host on which the scripts are written.
  const std::vector<std::string> known = backend_names();
  for (const NodeGroup& group : site.groups)
    if (std::ranges::find(known, group.backend) == known.end())
      fmt::print(
          stderr,
          "warning: this build of convoy has no backend {} ({}): the one that the job starts must have it\n",
          group.backend, site.file.string());
  return site;
}

void check_set(const std::string& given, const fs::path& of_job, bool packed_first, const char* flag,
               bool needed) {
  const fs::path set = given.empty() ? of_job : fs::path(given);
  require(!set.empty() || !needed, Exit::usage, "name the packed set with {}", flag);
  require(set.empty() || packed_first || fs::is_directory(set), Exit::usage,
          "there is no packed set {}: name one with {}, or pack it in a first step with --pack", set.string(),
          flag);
}

LaunchRequest request_of(const Flags& flags, const Site& site, const Context& context) {
  LaunchRequest request = flags.request;
  const Experiment experiment = parse_experiment(request.job, request.overrides);
  const MinibatchOptions& batches = experiment.minibatch;
  PlacementOptions options;
  if (!request.road.empty()) options.road = request.road;
  place(batches.workers, site.ranks(), options, workers_together(experiment));
  std::vector<std::string> words;
  for (const std::string& word : context.arguments) words.push_back(quoted(word));
  words[0] = "convoy";
  request.command = fmt::format("{}", fmt::join(words, " "));
  request.here = fs::current_path().string();
  request.summary =
      fmt::format("{} images a step: {} workers x {}", batches.global(), batches.workers, batches.images);
  if (request.name.empty()) request.name = experiment.name;
  if (request.out.empty()) request.out = "runs/" + request.name;
  if (request.scripts.empty()) request.scripts = "launch/" + request.name;
  request.seeds = seeds_of(flags.seeds);
  request.compare = request.compare || !request.against.empty();
  check_set(request.train, experiment.data.train, !request.pack_train.empty(), "--train", true);
  check_set(request.held_out, experiment.data.held_out, !request.pack_held_out.empty(), "--held-out", false);
  check_request(site, request);
  return request;
}

void print_scripts(const std::vector<Script>& scripts, const std::string& folder) {
  for (const Script& script : scripts) fmt::print("# ===== {}/{}\n{}\n", folder, script.name, script.text);
}

void save(const std::vector<Script>& scripts, const fs::path& folder, bool replace) {
  for (const Script& script : scripts)
    require(replace || !fs::exists(folder / script.name), Exit::usage,
            "{} is there already: name another folder with --scripts, or give --replace",
            (folder / script.name).string());
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_errno(error.value(), "cannot make " + folder.string());
  for (const Script& script : scripts) replace_file(folder / script.name, script.text);
  // A step of an earlier launch that this one has not would only mislead.
  for (const char* other : {"pack.sh", "train.sh", "compare.sh"})
    if (std::ranges::find(scripts, other, &Script::name) == scripts.end()) fs::remove(folder / other, error);
}

int launch(const Flags& flags, const Context& context) {
  const Site site = site_of(flags);
  const LaunchRequest request = request_of(flags, site, context);
  const std::vector<Script> scripts = write_scripts(site, request);
  if (flags.dry_run) {
    print_scripts(scripts, request.scripts);
    return 0;
  }
  save(scripts, request.scripts, flags.replace);
  const std::string submit = request.scripts + "/submit.sh";
  if (!flags.submit) {
    std::vector<std::string> names;
    for (const Script& script : scripts) names.push_back(script.name);
    fmt::print("{}: {} for {}\nto submit: bash {}\n", request.scripts, fmt::join(names, ", "), site.name,
               quoted(submit));
    return 0;
  }
  std::fflush(stdout);
  ::execlp("bash", "bash", submit.c_str(), static_cast<char*>(nullptr));
  fail_errno(errno, "cannot start bash");
}

void add_job_flags(CLI::App& command, Flags& flags) {
  LaunchRequest& r = flags.request;
  command.add_option("--train", r.train, "packed training set (default: the job's data.train)")
      ->type_name("FOLDER");
  command.add_option("--held-out", r.held_out, "packed held-out set (default: the job's data.held_out)")
      ->type_name("FOLDER");
  command.add_option("--out", r.out, "the run's folder; with --seeds, of theirs (default: runs/NAME)")
      ->type_name("FOLDER");
  command.add_option("--set", r.overrides, "section.key=value over the job's, may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--seeds", flags.seeds, "a run for each, as an array: 1-3, or 1,2,5")
      ->type_name("SEEDS");
  command.add_option("--road", r.road, "as of `convoy train`")->check(one_of({"tree", "library"}));
  command
      .add_option("--train-flag", r.more_flags,
                  "one more flag of `convoy train`, may be repeated: --train-flag=--keep=5")
      ->type_name("FLAG")
      ->allow_extra_args(false);
  command.add_option("--pack", r.pack_train, "first pack these images into --train")->type_name("SOURCE");
  command.add_option("--pack-held-out", r.pack_held_out, "and these into --held-out")->type_name("SOURCE");
  command.add_option("--labels", r.labels, "of --pack-held-out, as of `convoy pack`")->type_name("FILE");
  command.add_flag("--compare", r.compare, "at last compare the seeds' runs");
  command
      .add_option("--against", r.against, "at last hold what was trained against this run, or folder of runs")
      ->type_name("RUN");
}

void add_machine_flags(CLI::App& command, Flags& flags) {
  command.add_option("--machine", flags.machine, "machine file, e.g. of jobs/launch/machines")
      ->required()
      ->type_name("FILE");
  command.add_option("--nodes", flags.nodes, "over the machine file's node.nodes")
      ->check(CLI::Range(1, 1 << 17));
  command.add_option("--ranks-per-node", flags.ranks_per_node, "over node.ranks")
      ->check(CLI::Range(1, 1 << 10));
  command.add_option("--account", flags.account, "over job.account")->type_name("NAME");
  command.add_option("--partition", flags.partition, "or queue, over node.partition")->type_name("NAME");
  command.add_option("--wall-time", flags.wall_time, "over job.wall_time: HH:MM:SS, or D-HH:MM:SS")
      ->type_name("TIME");
  command
      .add_option("--stop-before", flags.stop_before,
                  "end at a checkpoint so long before the wall time; over job.stop_before")
      ->type_name("TIME");
  command
      .add_option("--restarts", flags.restarts,
                  "times that a run stopped so goes on in the queue; over job.restarts")
      ->check(CLI::NonNegativeNumber);
}

}  // namespace

void add_launch(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("launch", "write a job's batch scripts for a cluster, and submit them");
  set_examples(*command,
               {"convoy launch jobs/goyal-1hour.toml --machine jobs/launch/machines/slurm-cpu.toml \\",
                "  --nodes 128 --train imagenet/train --held-out imagenet/val --account proj12 --submit",
                "convoy launch jobs/demo.toml --machine site.toml --train set/train --held-out set/val \\",
                "  --seeds 1-3 --against runs/sgd --dry-run"});
  command->footer(
      "A run stopped before the end of its wall time saves a checkpoint, ends with code 85 and goes on in the queue at the\n"
      "exact step. Machine files: jobs/launch/machines/README.md.");
  auto flags = std::make_shared<Flags>();
  command->add_option("job", flags->request.job, "a job file, e.g. jobs/demo.toml")
      ->required()
      ->type_name("JOB");
  add_machine_flags(*command, *flags);
  add_job_flags(*command, *flags);
  command->add_option("--name", flags->request.name, "of the batch jobs (default: the experiment's)")
      ->type_name("NAME");
  command
      ->add_option("--scripts", flags->request.scripts, "folder for scripts and logs (default: launch/NAME)")
      ->type_name("FOLDER");
  command->add_flag("--replace", flags->replace, "write over scripts that are there");
  auto* submit =
      command->add_flag("--submit", flags->submit, "submit what was written: bash SCRIPTS/submit.sh");
  command->add_flag("--dry-run", flags->dry_run, "print the scripts; write nothing")->excludes(submit);
  command->callback(
      [&context, flags] { context.chosen = [flags, &context] { return launch(*flags, context); }; });
}

}  // namespace convoy::cli
