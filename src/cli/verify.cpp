// convoy verify DATASET...: every byte of every shard against the digests written at pack time.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/tree.h"
#include "cli/voice.h"
#include "data/verify.h"

namespace convoy::cli {
namespace {

struct Flags {
  std::vector<std::string> datasets;
  int threads = 0;
  Voice voice;
};

int verify_all(const Flags& flags) {
  const Log log = flags.voice.log();
  bool whole = true;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& dataset : flags.datasets) {
    const VerifyReport report = verify(dataset, flags.threads, log);
    all.push_back({{"path", dataset},
                   {"records", report.records},
                   {"damaged_records", report.bad},
                   {"problems", report.problems}});
    if (!report.problems.empty()) whole = false;
    if (flags.voice.json) continue;
    for (const std::string& problem : report.problems) fmt::print("{}\n", problem);
    if (report.problems.empty()) {
      fmt::print("{}: {} records, every byte as packed\n", dataset, report.records);
    } else {
      fmt::print(
          "{}: {} of {} records are damaged; copy the shard again, or pack again into another folder\n",
          dataset, report.bad, report.records);
    }
  }
  if (flags.voice.json) print_json({{"whole", whole}, {"datasets", all}});
  return static_cast<int>(whole ? Exit::ok : Exit::failed);
}

}  // namespace

void add_verify(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("verify", "find any changed byte in packed datasets");
  set_examples(*command, {"convoy verify imagenet/train imagenet/val"});
  auto flags = std::make_shared<Flags>();
  command->add_option("dataset", flags->datasets, "folders written by `convoy pack`")
      ->required()
      ->type_name("FOLDER");
  command->add_option("--threads", flags->threads, "reader threads (default: all cores)");
  add_levels(*command, flags->voice);
  add_json(*command, flags->voice.json);
  command->callback([&context, flags] { context.chosen = [flags] { return verify_all(*flags); }; });
}

}  // namespace convoy::cli
