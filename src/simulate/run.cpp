#include "simulate/run.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "base/text.h"
#include "simulate/platform.h"

namespace convoy::simulate {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

fs::path program() {
  const fs::path beside = fs::read_symlink("/proc/self/exe").parent_path() / "convoy-simulate";
  require(
      fs::exists(beside),
      "{} is not there, as this convoy was built without SimGrid: install it (Debian: apt install libsimgrid-dev; "
      "elsewhere SimGrid 3.32 with SMPI) and build again; `convoy plan --cluster` forecasts without it",
      beside.string());
  return beside;
}

}  // namespace

Answer run(const Scenario& scenario, const Cluster& cluster, Basis basis) {
  const std::string binary = program().string();
  const TemporaryFolder folder("convoy-simulate");
  const int nodes = (scenario.ranks + scenario.ranks_per_node - 1) / scenario.ranks_per_node;
  const auto file = [&](const char* name) { return (folder.path() / name).string(); };
  std::string platform = file("platform.xml"), asked = file("scenario.json"), answered = file("answer.json"),
              said = file("log"), name = binary;
  replace_file(platform, platform_xml(cluster, basis, nodes));
  replace_file(asked, to_json(scenario).dump());
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  const std::array<char*, 5> arguments{name.data(), platform.data(), asked.data(), answered.data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawn(&child, binary.c_str(), &files, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (error != 0) fail_errno(error, "cannot start " + binary);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    const auto lines = lines_of(read_text(said));
    fail("the simulation of {} ranks ended {}: {}", scenario.ranks,
         WIFEXITED(status) ? fmt::format("with code {}", WEXITSTATUS(status))
                           : fmt::format("by signal {}", WTERMSIG(status)),
         lines.empty() ? "it said nothing" : lines.front());
  }
  return answer_of(Json::parse(read_text(answered)));
}

std::string trace_json(const Answer& answer) {
  const auto lane = [](const std::string& name) { return name == "step" ? 0 : name == "compute" ? 1 : 2; };
  Json events = Json::array();
  std::set<int> ranks;
  for (const SimulatedSpan& span : answer.spans) {
    if (ranks.insert(span.rank).second) {
      events.push_back({{"ph", "M"},
                        {"pid", span.rank},
                        {"name", "process_name"},
                        {"args", {{"name", fmt::format("rank {}", span.rank)}}}});
      for (const char* name : {"step", "compute", "communication"})
        events.push_back({{"ph", "M"},
                          {"pid", span.rank},
                          {"tid", lane(name)},
                          {"name", "thread_name"},
                          {"args", {{"name", name}}}});
    }
    events.push_back({{"ph", "X"},
                      {"pid", span.rank},
                      {"tid", lane(span.lane)},
                      {"name", span.number < 0 ? span.name : fmt::format("{} {}", span.name, span.number)},
                      {"ts", span.begin * 1e6},
                      {"dur", (span.end - span.begin) * 1e6}});
  }
  return Json{{"displayTimeUnit", "ms"}, {"traceEvents", events}}.dump() + "\n";
}

}  // namespace convoy::simulate
