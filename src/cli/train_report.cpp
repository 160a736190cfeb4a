#include "cli/train_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>

#include "train/checkpoints.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;

// Of the newest checkpoint that says its step.
int64_t steps_done(const RunDirectory& directory) {
  for (const auto& path : list_checkpoints(directory.checkpoints())) try {
      return read_snapshot(path).step;
    } catch (const Error&) {  // torn: training, too, falls back to the one before
    }
  return 0;
}

}  // namespace

void report_forecast(const Forecast& forecast, const Voice& voice) {
  const auto& [experiment, schedule, placement, folder, resume] = forecast;
  check_run_directory(folder, resume);
  const int64_t done = resume ? steps_done({folder}) : 0;
  const std::set<std::string> backends(placement.backends.begin(), placement.backends.end());
  const std::string into = folder.empty() ? "runs/<time>_" + experiment.name : folder.string();
  if (voice.json) {
    print_json_line({{"dry_run", true},
                     {"name", experiment.name},
                     {"run", into},
                     {"steps", schedule.steps()},
                     {"steps_done", done},
                     {"images_per_step", schedule.global()},
                     {"epochs", schedule.epochs_after(schedule.steps() - 1)},
                     {"ranks", placement.ranks()},
                     {"backends", placement.backends},
                     {"threads_per_rank", placement.threads}});
    return;
  }
  fmt::print(
      "would {} {}: {} steps of {} images, {:.4g} epochs, on {} rank{} with {} and {} thread{} each; {}\n",
      resume ? fmt::format("go on at step {} of", done) : "train", experiment.name, schedule.steps(),
      schedule.global(), schedule.epochs_after(schedule.steps() - 1), placement.ranks(),
      placement.ranks() == 1 ? "" : "s", fmt::join(backends, ", "), placement.threads,
      placement.threads == 1 ? "" : "s",
      fmt::format("the run's folder would be {}; nothing is written", into));
}

void report_outcome(const Outcome& outcome, const RunDirectory& directory, const Voice& voice) {
  const auto& held_out = outcome.held_out;
  const double top1 =
      held_out ? static_cast<double>(held_out->correct1) / static_cast<double>(held_out->images) : 0;
  if (voice.json) {
    Json line{{"run", directory.root.string()},
              {"result", directory.result().string()},
              {"exit_code", static_cast<int>(outcome.exit)},
              {"steps", outcome.steps},
              {"weights_xxh3", outcome.digest},
              {"held_out", nullptr}};
    if (!outcome.reason.empty()) line["reason"] = outcome.reason;
    if (held_out)
      line["held_out"] = {{"images", held_out->images},
                          {"correct1", held_out->correct1},
                          {"correct5", held_out->correct5},
                          {"top1", top1},
                          {"loss", held_out->mean_loss()}};
    return print_json_line(line);
  }
  fmt::print("{} steps, digest {}\n", outcome.steps, outcome.digest);
  if (held_out)
    fmt::print("held-out top-1 {:.2f} % ({} of {} images)\n", 100.0 * top1, held_out->correct1,
               held_out->images);
  fmt::print("result  {}\n", directory.result().string());
}

}  // namespace convoy::cli
