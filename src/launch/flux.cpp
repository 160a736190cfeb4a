// Flux: flux batch, flux run. Flux has no arrays of batch jobs and no requeueing: submit.sh sends one chain of legs
// (launch/legs.h) a seed. The signal before the time limit reaches the batch job's broker, not the ranks: convoy watches the
// time itself.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "launch/legs.h"
#include "launch/scheduler.h"
#include "launch/shell.h"

namespace convoy {
namespace {

class Flux : public Scheduler {
 public:
  using Scheduler::Scheduler;

  std::string directives(const Step& step) const override {
    const NodeGroup& g = step.groups[0];
    std::string text = option("--job-name=" + job_name(step));
    if (!site_.account.empty()) text += option("--bank=" + site_.account);
    if (!g.partition.empty()) text += option("--queue=" + g.partition);
    text += option(fmt::format("--time-limit={}s", step.wall_time.count()));
    text += option("--cwd=" + request_.here);
    text += option(fmt::format("--output={}/{}-{{{{id}}}}.log", request_.scripts, step.kind));
    text += option(fmt::format("--nodes={}", g.nodes)) + option(fmt::format("--nslots={}", g.all_ranks()));
    text += option(fmt::format("--cores-per-slot={}", g.cores_per_rank()));
    if (g.gpus > 0) text += option(fmt::format("--gpus-per-slot={}", g.gpus / g.ranks));
    if (!g.constraint.empty()) text += option(fmt::format("--requires=\"{}\"", g.constraint));
    for (const std::string& extra : site_.options) text += option(extra);
    return text;
  }

  std::string seed() const override { return ""; }
  std::string before() const override { return leg_before(request_); }
  std::string after() const override { return leg_after(); }

  std::string submit(const std::vector<Step>& steps) const override {
    std::string text = forget_codes(request_.scripts) + "after=()\n";
    for (const Step& step : steps) {
      const std::string script = quoted(script_of(step.kind));
      if (step.kind != "train") {
        text += fmt::format("{}=$(flux batch \"${{after[@]}}\" {})\necho \"{} ${}\"\n", step.kind, script,
                            step.kind, step.kind);
        if (step.kind == "pack") text += "after=(--dependency=afterok:\"$pack\")\n";
        continue;
      }
      const bool seeds = !request_.seeds.empty();
      const std::string indent = seeds ? "  " : "", seed = seeds ? " --env=CONVOY_SEED=\"$seed\"" : "";
      const std::string who = seeds ? "train, seed $seed" : "train";
      if (request_.compare) text += "done=()\n";
      if (seeds) text += fmt::format("for seed in {}; do\n", fmt::join(request_.seeds, " "));
      text += fmt::format("{}train=$(flux batch \"${{after[@]}}\"{} {})\n{}echo \"{}: $train\"\n", indent,
                          seed, script, indent, who);
      if (site_.restarts > 0)
        text += fmt::format(
            "{0}for leg in {{2..{1}}}; do\n{0}  train=$(flux batch --dependency=afterany:\"$train\" --env=CONVOY_LEG=\"$leg\"{2} "
            "{3})\n{0}  echo \"{4}, leg $leg: $train\"\n{0}done\n",
            indent, site_.restarts + 1, seed, script, who);
      if (request_.compare) text += indent + "done+=(--dependency=afterok:\"$train\")\n";
      if (seeds) text += "done\n";
      if (request_.compare) text += "after=(\"${done[@]}\")\n";
    }
    return text;
  }

  std::string submit_by_hand(const std::string& script) const override {
    const bool seed = !request_.seeds.empty() && script == script_of("train");
    return fmt::format("flux batch {}{}", seed ? "--env=CONVOY_SEED=1 " : "", script);
  }

 private:
  static std::string option(const std::string& text) { return "# flux: " + text + "\n"; }
};

}  // namespace

std::unique_ptr<Scheduler> make_flux(const Site& site, const LaunchRequest& request) {
  return std::make_unique<Flux>(site, request);
}

}  // namespace convoy
