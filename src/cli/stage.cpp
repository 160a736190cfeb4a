// convoy stage DATASET... --to FOLDER: packed datasets copied to every node's own storage, in parallel, and verified.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "data/stage.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;

struct Flags {
  std::vector<fs::path> datasets;
  fs::path to;
  int threads = 0;
  Voice voice;
};

// "imagenet/train/" is staged as "train".
fs::path name_of(const fs::path& dataset) {
  const fs::path plain = fs::absolute(dataset).lexically_normal();
  return plain.has_filename() ? plain.filename() : plain.parent_path().filename();
}

int stage_all(const Flags& flags, Communicator& comm) {
  const Log log = flags.voice.log(comm.rank(), comm.host());
  std::set<fs::path> names;
  for (const fs::path& dataset : flags.datasets)
    require(names.insert(name_of(dataset)).second, Exit::usage,
            "two datasets are named {}: stage them to two folders", name_of(dataset).string());
  for (const fs::path& dataset : flags.datasets) {
    const fs::path to = flags.to / name_of(dataset);
    const StageReport r = stage({dataset, to, flags.threads}, comm, log);
    if (comm.rank() != 0) continue;
    if (flags.voice.json) {
      print_json_line({{"dataset", dataset.string()},
                       {"to", to.string()},
                       {"nodes", r.nodes},
                       {"shards", r.shards},
                       {"copied", r.copied},
                       {"kept", r.kept},
                       {"bytes", r.bytes},
                       {"seconds", r.seconds}});
      continue;
    }
    const auto a_node = static_cast<double>(r.bytes) / static_cast<double>(r.nodes);
    fmt::print("{}: {} shards on {} node{}, {} copied ({} a node at {}/s), {} kept; every byte as packed\n",
               to.string(), r.shards, r.nodes, r.nodes == 1 ? "" : "s", r.copied,
               human_bytes(static_cast<uint64_t>(a_node)),
               human_bytes(static_cast<uint64_t>(a_node / r.seconds)), r.kept);
  }
  return 0;
}

}  // namespace

void add_stage(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "stage", "copy packed datasets to every node's own storage, in parallel, and verify them");
  set_examples(
      *command,
      {"srun --ntasks-per-node=4 convoy stage imagenet/train imagenet/val --to /local/imagenet",
       "convoy train jobs/goyal-1hour.toml --train /local/imagenet/train --held-out /local/imagenet/val"});
  command->footer("Run again, it copies only what is missing or damaged.");
  auto flags = std::make_shared<Flags>();
  command->add_option("dataset", flags->datasets, "folders written by `convoy pack`")
      ->required()
      ->type_name("FOLDER");
  command
      ->add_option("--to", flags->to, "folder on each node; every dataset becomes a folder of its name in it")
      ->required()
      ->type_name("FOLDER");
  command->add_option("--threads", flags->threads, "copying on each rank (default: its cores)")
      ->check(CLI::Range(0, 4096));
  add_levels(*command, flags->voice);
  add_json(*command, flags->voice.json);
  command->callback([&context, flags] {
    context.chosen = [flags, &context] {
      return under_mpi(context, [&](Communicator& comm) { return stage_all(*flags, comm); });
    };
  });
}

}  // namespace convoy::cli
