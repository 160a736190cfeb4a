// convoy info: what was built, what this machine is, and where ranks would compute. Under mpirun, the map of all ranks.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backends/plugin.h"
#include "backends/registry.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "comm/affinity.h"
#include "train/tool.h"

namespace convoy::cli {
namespace {

using Lines = nlohmann::ordered_json;

// What CPU kernels in bf16 use, or why there are none.
Lines cpu_bf16(int threads) try {
  return {{"isa", make_backend("onednn", threads, 0, Precision::bf16)->device().isa}};
} catch (const std::exception& error) {
  return {{"trouble", error.what()}};
}

std::string bf16_text(const Lines& backend) {
  if (!backend.contains("bf16")) return "";
  const Lines& bf16 = backend["bf16"];
  return bf16.contains("isa") ? ", in bf16 " + bf16["isa"].get<std::string>() : ", no bf16 on this CPU";
}

Lines backends_json(int threads, const GpuReport& gpus) {
  Lines list = Lines::array();
  for (const std::string& name : backend_names()) {
    std::string trouble = name.find("cudnn") != std::string::npos ? gpus.trouble(0) : "";
    if (trouble.empty()) try {
        const DeviceInfo device = make_backend(name, threads, 0, usual_precision(name))->device();
        list.push_back({{"name", name},
                        {"library", device.library},
                        {"isa", device.isa},
                        {"hardware", device.hardware}});
        if (name == "onednn") list.back()["bf16"] = cpu_bf16(threads);
      } catch (const Error& error) {  // a GPU that looked sound
        trouble = error.what();
      }
    if (!trouble.empty()) list.push_back({{"name", name}, {"trouble", trouble}});
  }
  return list;
}

Lines gpus_json(const GpuReport& report) {
  Lines cards = Lines::array();
  for (size_t i = 0; i < report.driver.gpus.size(); ++i) {
    const cudnn::Gpu& card = report.driver.gpus[i];
    cards.push_back({{"name", card.name},
                     {"bus_id", card.bus_id},
                     {"capability", cudnn::capability_text(card.capability)},
                     {"bytes", card.memory},
                     {"trouble", report.trouble(i)}});
  }
  Lines all = {{"gpus", cards}};
  if (report.driver.version > 0) all["driver"] = "CUDA " + cudnn::cuda_text(report.driver.version);
  if (report.library.version > 0) all["cudnn"] = cudnn::cudnn_text(report.library.version);
  const GpuPlugin& plugin = report.plugin;
  if (!plugin.path.empty()) all["plugin"] = {{"file", plugin.path}};
  if (plugin.facts != nullptr) {
    all["plugin"]["cuda"] = cudnn::cuda_text(plugin.facts->built.toolkit);
    all["plugin"]["cudnn"] = cudnn::cudnn_text(plugin.facts->built.cudnn);
    all["plugin"]["code"] = cudnn::code_text(plugin.facts->built);
  } else {
    all["plugin"]["trouble"] = plugin.trouble;
  }
  return all;
}

void print_gpus(const Lines& all) {
  for (const Lines& card : all["gpus"])
    fmt::print("  GPU       {}, {}, compute capability {}, {}\n", card["name"].get<std::string>(),
               human_bytes(card["bytes"].get<uint64_t>()), card["capability"].get<std::string>(),
               card["bus_id"].get<std::string>());
  if (all.contains("driver")) fmt::print("  driver    {}\n", all["driver"].get<std::string>());
  if (all.contains("cudnn")) fmt::print("  cuDNN     {}\n", all["cudnn"].get<std::string>());
  const Lines& plugin = all["plugin"];
  if (plugin.contains("code"))
    fmt::print("  plug-in   {}: CUDA {}, cuDNN {}, code for {}\n", plugin["file"].get<std::string>(),
               plugin["cuda"].get<std::string>(), plugin["cudnn"].get<std::string>(),
               plugin["code"].get<std::string>());
  else
    fmt::print("  plug-in   none: {}\n", plugin["trouble"].get<std::string>());
}

int show(bool json, bool oversubscribe, Communicator& comm) {
  const Affinity affinity = place(comm, {.threads = 0, .allow_overlap = oversubscribe});
  if (comm.rank() != 0) return 0;
  const GpuReport gpus = ask_for_gpus();
  Lines all = {{"tool", tool_json()},
               {"mpi", {{"library", comm.library()}, {"ranks", comm.size()}}},
               {"machine", affinity.machine.summary()},
               {"placement", affinity.map},
               {"threads_per_rank", affinity.threads},
               {"warnings", affinity.warnings},
               {"backends", backends_json(affinity.threads, gpus)},
               {"gpu", gpus_json(gpus)}};
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
    fmt::print("  backend   {:<14} {}{}\n", backend["name"].get<std::string>(),
               backend.contains("trouble") ? "not here: " + backend["trouble"].get<std::string>()
                                           : fmt::format("{}, {}", backend["library"].get<std::string>(),
                                                         backend["isa"].get<std::string>()),
               bf16_text(backend));
  print_gpus(all["gpu"]);
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
