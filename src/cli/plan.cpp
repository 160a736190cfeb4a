// convoy plan JOB: what a job will compute, move, hold in memory and do with its learning rate, before it does it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/plan_cluster.h"
#include "cli/plan_mix.h"
#include "cli/plan_report.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "port/communicator.h"
#include "train/schedule_picture.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  std::string job, train, held_out, picture;
  std::vector<std::string> overrides;
  std::vector<double> speeds;
  int ranks = 1;
  PlacementOptions placement;
  bool layers = false, json = false;
  ClusterFlags cluster;
};

int plan(Flags flags) {
  const Experiment experiment = parse_experiment(flags.job, flags.overrides);
  if (!flags.speeds.empty()) {
    flags.ranks = static_cast<int>(flags.speeds.size());
    flags.placement.road = "library";
    flags.placement.counts = workers_by_speed(experiment, flags.speeds);
  }
  LocalCommunicator alone;
  const Sets sets = open_sets(experiment, flags.train, flags.held_out, alone, Presence::optional);
  const Placement placement =
      place(experiment.minibatch.workers, flags.ranks, flags.placement, workers_together(experiment));
  const PlanReport report = make_plan_report(experiment, sets, placement);
  if (!flags.picture.empty()) replace_file(flags.picture, draw_schedule(experiment, report.schedule));
  const Json cluster = flags.cluster.file.empty() ? Json()
                                                  : cluster_forecast(flags.cluster, experiment, sets,
                                                                     flags.ranks > 1 ? flags.ranks : 0);
  const Json mix = flags.speeds.empty() ? Json() : mix_forecast(experiment, flags.speeds);
  if (flags.json) {
    Json json = plan_json(report, flags.layers);
    if (!mix.is_null()) json["mix"] = mix;
    if (!cluster.is_null()) json["cluster"] = cluster;
    print_json(json);
  } else {
    print_plan(report, flags.layers);
    if (!mix.is_null()) print_mix(mix);
    if (!cluster.is_null()) print_forecast(cluster);
  }
  if (!flags.picture.empty() && !flags.json) fmt::print("picture     {}\n", flags.picture);
  return 0;
}

}  // namespace

void add_plan(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("plan", "show what a job will do, without doing it");
  set_examples(*command, {"convoy plan jobs/demo.toml",
                          "convoy plan jobs/goyal-1hour.toml --ranks 32 --picture rate.svg"});
  auto flags = std::make_shared<Flags>();
  command->add_option("job", flags->job, "a job file, e.g. jobs/demo.toml")->required()->type_name("JOB");
  command
      ->add_option("--train", flags->train,
                   "packed training set (default: the job's; else ImageNet's numbers)")
      ->type_name("FOLDER");
  command->add_option("--held-out", flags->held_out, "packed held-out set")->type_name("FOLDER");
  command->add_option("--set", flags->overrides, "section.key=value, may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("--ranks", flags->ranks, "ranks to deal the workers to")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--road", flags->placement.road, "as of `convoy train`")
      ->capture_default_str()
      ->check(one_of({"tree", "library"}));
  command
      ->add_option(
          "--speeds", flags->speeds,
          "images/s of each rank, with commas between: how ranks of different hardware would share, and gain")
      ->type_name("N,N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->excludes("--ranks");
  command
      ->add_option("--picture", flags->picture, "also draw the learning rate over epochs into this SVG file")
      ->type_name("FILE");
  auto* cluster = command
                      ->add_option("--cluster", flags->cluster.file,
                                   "also forecast time, efficiency and node-hours on this cluster file")
                      ->type_name("FILE");
  command
      ->add_option("--basis", flags->cluster.basis,
                   "of the forecast: data sheets alone, or with what was fitted and measured")
      ->capture_default_str()
      ->needs(cluster)
      ->check(one_of({"specification", "calibration"}));
  command->add_option("--with", flags->cluster.with, "of the cluster: section.key=number, may be repeated")
      ->type_name("KEY=VALUE")
      ->needs(cluster)
      ->allow_extra_args(false);
  command->add_flag("--layers", flags->layers,
                    "also every step with its flops, bytes and live ranges, and the buckets");
  add_json(*command, flags->json);
  command->callback([&context, flags] { context.chosen = [flags] { return plan(*flags); }; });
}

}  // namespace convoy::cli
