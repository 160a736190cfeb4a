// What of a request cannot be written into scripts for a site.
#include <fmt/format.h>

#include "base/error.h"
#include "launch/scripts.h"
#include "launch/shell.h"

namespace convoy {
namespace {

// A scheduler's directives are no shell: what needs quotes in one is read differently by each.
void check_directives(const Site& site, const LaunchRequest& request) {
  const std::string file = site.file.string();
  const auto sound = [&](const std::string& what, const std::string& value) {
    require(
        value.empty() || plain(value), Exit::usage,
        "{} \"{}\" has a space or another character that batch systems' directives cannot hold: use letters, digits "
        "and any of _./:=,@%+-",
        what, value);
  };
  sound("the name", request.name);
  sound("the folder for scripts", request.scripts);
  sound("the current folder", request.here);
  require(
      request.scripts.find('%') == std::string::npos && request.name.find('%') == std::string::npos,
      Exit::usage,
      "a % in \"{}\" means something else in the name of a batch job's log: take another --scripts or --name",
      request.scripts);
  sound(file + ": job.account", site.account);
  sound(file + ": job.qos", site.qos);
  for (const NodeGroup& group : site.groups) {
    sound(file + ": node.partition", group.partition);
    sound(file + ": node.memory", group.memory);
    require(group.constraint.find('"') == std::string::npos, Exit::usage,
            "{}: a quote in node.constraint: take it out", file);
  }
}

}  // namespace

void check_request(const Site& site, const LaunchRequest& request) {
  const std::string file = site.file.string();
  if (site.batch()) check_directives(site, request);
  if (request.packs()) {
    require(
        !request.train.empty() && (request.pack_held_out.empty() || !request.held_out.empty()), Exit::usage,
        "--pack and --pack-held-out say what to pack, --train and --held-out say where to: give those too");
    require(site.pack_ranks > 0, Exit::usage,
            "{}: pack.ranks is missing: on how many ranks of one node to pack", file);
    require(site.pack_ranks <= site.groups[0].cores, Exit::usage,
            "{}: {} pack.ranks do not fit the {} cores of a node", file, site.pack_ranks,
            site.groups[0].cores);
    require(!site.batch() || site.pack_wall_time.count() > 0, Exit::usage, "{}: pack.wall_time is missing",
            file);
  }
  require(!request.compare || !site.batch() || site.compare_wall_time.count() > 0, Exit::usage,
          "{}: compare.wall_time is missing", file);
  require(!request.compare || !request.against.empty() || request.seeds.size() > 1, Exit::usage,
          "--compare needs something to hold the run against: several --seeds, or --against RUN");
  require(
      request.seeds.empty() || site.scheduler != "slurm" || site.groups.size() == 1, Exit::usage,
      "Slurm has no arrays of jobs of several kinds of node: launch each seed for itself, with --set train.seed=N");
  require(request.seeds.size() != 1 || site.scheduler != "pbs", Exit::usage,
          "PBS has no array of one element: give --set train.seed={} instead of --seeds",
          request.seeds.front());
}

}  // namespace convoy
