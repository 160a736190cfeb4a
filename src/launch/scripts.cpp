#include "launch/scripts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/duration.h"
#include "launch/scheduler.h"
#include "launch/shell.h"
#include "launch/train_script.h"

namespace convoy {
namespace {

NodeGroup one_node(const Site& site, int ranks) {
  NodeGroup group = site.groups[0];
  group.nodes = 1;
  group.ranks = ranks;
  group.spare_cores = group.gpus = 0;
  group.mcdram.clear();
  group.numa_mode.clear();
  return group;
}

std::vector<Step> steps_of(const Site& site, const LaunchRequest& request) {
  std::vector<Step> steps;
  if (request.packs()) steps.push_back({"pack", {one_node(site, site.pack_ranks)}, site.pack_wall_time, 0});
  steps.push_back({"train", site.groups, site.wall_time, request.seeds.size()});
  if (request.compare) {
    NodeGroup one = one_node(site, 1);
    one.cores = 1;
    steps.push_back({"compare", {one}, site.compare_wall_time, 0});
  }
  return steps;
}

std::string what_for(const Site& site, const LaunchRequest& request, const Step& step) {
  if (step.kind == "pack")
    return fmt::format("Packs images for {}, on {} ranks of one node.", request.job, site.pack_ranks);
  if (step.kind == "compare") return fmt::format("Compares what {} has trained.", request.job);
  std::vector<std::string> nodes;
  for (const NodeGroup& g : site.groups)
    nodes.push_back(fmt::format("{} node{} x {} rank{} x {} thread{}{}", g.nodes, g.nodes == 1 ? "" : "s",
                                g.ranks, g.ranks == 1 ? "" : "s", site.threads(),
                                site.threads() == 1 ? "" : "s",
                                g.gpus > 0 ? fmt::format(", {} GPUs a node", g.gpus) : ""));
  return fmt::format("Trains {} ({}) on {} ranks: {}.", request.job, request.summary, site.ranks(),
                     fmt::join(nodes, " and "));
}

std::string environment(const Site& site) {
  std::string text;
  if (!site.modules.empty()) {
    std::vector<std::string> names;
    for (const std::string& module : site.modules) names.push_back(quoted(module));
    text += fmt::format("module load {}\n", fmt::join(names, " "));
  }
  for (const auto& [name, value] : site.environment)
    text += fmt::format("export {}={}\n", name, quoted(value));
  for (const std::string& line : site.setup) text += line + "\n";
  return text;
}

std::string body(const Site& site, const LaunchRequest& request, const Scheduler& scheduler,
                 const Step& step) {
  return step.kind == "pack"    ? pack_body(site, request, step)
         : step.kind == "train" ? train_body(site, request, scheduler)
                                : compare_body(site, request);
}

Script script_of(const Site& site, const LaunchRequest& request, const Scheduler& scheduler,
                 const Step& step) {
  const std::string name = step.kind + ".sh";
  const std::string head =
      what_for(site, request, step) +
      fmt::format("\nWritten for {} by: {}\nSubmit all steps: bash {}/submit.sh; this one: {}",
                  site.file.string(), request.command, request.scripts,
                  scheduler.submit_by_hand(request.scripts + "/" + name));
  // Not -e: exit codes are looked at where they matter. Modules often use variables that are not set: -u comes after them.
  return {name, "#!/bin/bash\n" + comment(head) + scheduler.directives(step) +
                    fmt::format("\ncd {} || exit 1\n{}set -u\n\n", quoted(request.here), environment(site)) +
                    body(site, request, scheduler, step)};
}

}  // namespace

std::vector<Script> write_scripts(const Site& site, const LaunchRequest& request) {
  const auto scheduler = make_scheduler(site, request);
  const std::vector<Step> steps = steps_of(site, request);
  std::vector<Script> scripts;
  for (const Step& step : steps) scripts.push_back(script_of(site, request, *scheduler, step));
  const std::string waits = steps.size() > 1 ? ": each step waits for the one before to end well" : "";
  scripts.push_back({"submit.sh", "#!/bin/bash\n" +
                                      comment(fmt::format("Submits {}{}.", request.name, waits)) +
                                      fmt::format("set -euo pipefail\ncd {}\n", quoted(request.here)) +
                                      scheduler->submit(steps)});
  return scripts;
}

}  // namespace convoy
