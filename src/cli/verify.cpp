// convoy verify DATASET...: every byte of every shard against the digests written at pack time.
#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "cli/commands.h"
#include "data/verify.h"

namespace convoy::cli {
namespace {

struct Flags {
  std::vector<std::string> datasets;
  int threads = 0;
  bool quiet = false;
};

int verify_all(const Flags& flags) {
  const Log log(flags.quiet ? Log::Level::quiet : Log::Level::normal, 0, "");
  bool whole = true;
  for (const std::string& dataset : flags.datasets) {
    const VerifyReport report = verify(dataset, flags.threads, log);
    for (const std::string& problem : report.problems) fmt::print("{}\n", problem);
    if (report.problems.empty()) {
      fmt::print("{}: {} records, every byte as packed\n", dataset, report.records);
    } else {
      whole = false;
      fmt::print(
          "{}: {} of {} records are damaged; copy the shard again, or pack again into another folder\n",
          dataset, report.bad, report.records);
    }
  }
  return static_cast<int>(whole ? Exit::ok : Exit::failed);
}

}  // namespace

void add_verify(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("verify", "find any changed byte in packed datasets");
  auto flags = std::make_shared<Flags>();
  command->add_option("dataset", flags->datasets, "folders written by `convoy pack`")->required();
  command->add_option("--threads", flags->threads, "reader threads (default: all cores)");
  command->add_flag("--quiet", flags->quiet, "no progress lines");
  command->callback([&context, flags] { context.chosen = [flags] { return verify_all(*flags); }; });
}

}  // namespace convoy::cli
