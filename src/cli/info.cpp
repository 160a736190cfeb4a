// convoy info: what was built, what this machine is, and where ranks would compute. Under mpirun, the map of all ranks.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "comm/affinity.h"
#include "train/tool.h"

namespace convoy::cli {
namespace {

using Lines = nlohmann::ordered_json;

Lines backends_json(int threads) {
  Lines list = Lines::array();
  for (const std::string& name : backend_names()) {
    const DeviceInfo device = make_backend(name, threads)->device();
    list.push_back(
        {{"name", name}, {"library", device.library}, {"isa", device.isa}, {"hardware", device.hardware}});
  }
  return list;
}

int show(bool json, bool oversubscribe, Communicator& comm) {
  const Affinity affinity = place(comm, {.threads = 0, .allow_overlap = oversubscribe});
  if (comm.rank() != 0) return 0;
  Lines all = {{"tool", tool_json()},
               {"mpi", {{"library", comm.library()}, {"ranks", comm.size()}}},
               {"machine", affinity.machine.summary()},
               {"placement", affinity.map},
               {"threads_per_rank", affinity.threads},
               {"warnings", affinity.warnings},
               {"backends", backends_json(affinity.threads)}};
  if (json) {
    print_json(all);
    return 0;
  }
  const Lines& tool = all["tool"];
  fmt::print("convoy {} ({}, {})\n", tool["version"].get<std::string>(), tool["compiler"].get<std::string>(),
             tool["flags"].get<std::string>());
  fmt::print("  MPI       {}, {} rank{}\n", comm.library(), comm.size(), comm.size() == 1 ? "" : "s");
  fmt::print("  HDF5      {}\n", tool["libraries"]["hdf5"].get<std::string>());
  for (const Lines& backend : all["backends"])
    fmt::print("  backend   {:<14} {}, {}\n", backend["name"].get<std::string>(),
               backend["library"].get<std::string>(), backend["isa"].get<std::string>());
  fmt::print("  host      {}: {}\n", comm.host(), affinity.machine.summary());
  for (const std::string& line : affinity.map) fmt::print("  place     {}\n", line);
  for (const std::string& line : affinity.warnings) fmt::print("  note      {}\n", line);
  return 0;
}

}  // namespace

void add_info(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("info", "what was built, what this machine is, where ranks would compute");
  set_examples(*command, {"convoy info", "mpirun -n 4 convoy info"});
  auto json = std::make_shared<bool>(false);
  auto oversubscribe = std::make_shared<bool>(false);
  add_json(*command, *json);
  command->add_flag("--oversubscribe", *oversubscribe, "let ranks share cores");
  command->callback([&context, json, oversubscribe] {
    context.chosen = [json, oversubscribe, &context] {
      return under_mpi(context, [&](Communicator& comm) { return show(*json, *oversubscribe, comm); });
    };
  });
}

}  // namespace convoy::cli
