#include "launch/site.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "launch/site_reader.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

NodeGroup read_group(const toml::table& table, const std::string& section, const std::string& file) {
  NodeGroup group;
  SiteTable from(table, section, file);
  from.count("nodes", group.nodes, 1);
  from.count("cores", group.cores, 1);
  from.count("hardware_threads", group.hardware_threads, 1);
  from.count("ranks", group.ranks, 1);
  from.count("spare_cores", group.spare_cores, 0);
  from.count("gpus", group.gpus, 0);
  from.text("backend", group.backend);
  from.text("memory", group.memory);
  from.text("partition", group.partition);
  from.text("constraint", group.constraint);
  from.word("mcdram", group.mcdram, {"flat", "cache"});
  from.text("numa_mode", group.numa_mode);
  from.finish();
  return group;
}

void read_job(SiteTable from, Site& site) {
  from.text("account", site.account);
  from.text("qos", site.qos);
  from.duration("wall_time", site.wall_time);
  from.duration("stop_before", site.stop_before);
  from.count("restarts", site.restarts, 0);
  from.list("options", site.options);
  from.finish();
}

void read_mpi(SiteTable from, Site& site) {
  from.word("launcher", site.launcher, launchers());
  from.list("options", site.launcher_options);
  from.finish();
}

void read_shell(SiteTable from, Site& site) {
  from.list("modules", site.modules);
  from.list("setup", site.setup);
  from.text("program", site.program);
  from.finish();
}

void read_pack(SiteTable from, Site& site) {
  from.count("ranks", site.pack_ranks, 1);
  from.duration("wall_time", site.pack_wall_time);
  from.finish();
}

void read_compare(SiteTable from, Site& site) {
  from.duration("wall_time", site.compare_wall_time);
  from.finish();
}

// [[also]], once or more often.
void read_also(const toml::node& node, const std::string& file, Site& site) {
  const toml::array* list = node.as_array();
  require(list != nullptr && list->is_array_of_tables(), Exit::usage,
          "{}:{}: write [[also]] for a second kind of node", file, node.source().begin.line);
  for (const toml::node& item : *list) site.groups.push_back(read_group(*item.as_table(), "also", file));
}

toml::table parsed(const std::string& text, const std::string& file) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail(Exit::usage, "{}:{}: {}", file, error.source().begin.line, error.description());
  }
}

std::string own_launcher(const std::string& scheduler) {
  return scheduler == "slurm" ? "srun" : scheduler == "flux" ? "flux" : "openmpi";
}

}  // namespace

int Site::ranks() const {
  return std::accumulate(groups.begin(), groups.end(), 0,
                         [](int sum, const NodeGroup& group) { return sum + group.all_ranks(); });
}

int Site::threads() const { return std::ranges::min_element(groups, {}, &NodeGroup::threads)->threads(); }

const std::vector<std::string>& schedulers() {
  static const std::vector<std::string> known{"slurm", "pbs", "lsf", "flux", "mpirun"};
  return known;
}

const std::vector<std::string>& launchers() {
  static const std::vector<std::string> known{"srun", "openmpi", "mpich", "pals", "jsrun", "flux"};
  return known;
}

Site read_site(const fs::path& file) {
  require(fs::is_regular_file(file), Exit::usage,
          "there is no machine file {}: name one with --machine, for instance of jobs/launch/machines",
          file.string());
  return read_site_text(read_text(file), file);
}

Site read_site_text(const std::string& text, const fs::path& path) {
  const std::string file = path.string();
  const toml::table table = parsed(text, file);
  Site site;
  site.file = path;
  SiteTable top(table, "", file);
  top.text("name", site.name);
  top.text("description", site.description);
  top.word("scheduler", site.scheduler, schedulers());
  const auto part = [&](const char* name) -> const toml::table* {
    top.section(name);
    const toml::node* node = table.get(name);
    require(node == nullptr || node->is_table(), Exit::usage, "{}: {} must be a table: [{}]", file, name,
            name);
    return node == nullptr ? nullptr : node->as_table();
  };
  const toml::table* node = part("node");
  site.groups.push_back(node == nullptr ? NodeGroup{} : read_group(*node, "node", file));
  if (const auto* job = part("job")) read_job({*job, "job", file}, site);
  if (const auto* mpi = part("mpi")) read_mpi({*mpi, "mpi", file}, site);
  if (const auto* shell = part("shell")) read_shell({*shell, "shell", file}, site);
  if (const auto* pack = part("pack")) read_pack({*pack, "pack", file}, site);
  if (const auto* compare = part("compare")) read_compare({*compare, "compare", file}, site);
  if (const auto* variables = part("environment"))
    SiteTable(*variables, "environment", file).pairs(site.environment);
  top.section("also");
  if (const toml::node* also = table.get("also")) read_also(*also, file, site);
  top.finish();
  require(!site.scheduler.empty(), Exit::usage, "{}: scheduler is missing: {}", file,
          fmt::format("one of {}", fmt::join(schedulers(), ", ")));
  if (site.name.empty()) site.name = path.stem().string();
  if (site.launcher.empty()) site.launcher = own_launcher(site.scheduler);
  return site;
}

}  // namespace convoy
