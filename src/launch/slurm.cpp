// Slurm: sbatch, srun. A run stopped before the time limit is requeued under its own id, so afterok dependencies hold.
#include <fmt/format.h>

#include "base/duration.h"
#include "launch/scheduler.h"
#include "launch/shell.h"

namespace convoy {
namespace {

class Slurm : public Scheduler {
 public:
  using Scheduler::Scheduler;

  std::string directives(const Step& step) const override {
    std::string text = option("job-name", job_name(step));
    if (!site_.account.empty()) text += option("account", site_.account);
    if (!site_.qos.empty()) text += option("qos", site_.qos);
    text += option("time", print_duration(step.wall_time));
    text += option("chdir", request_.here);
    text += option("output",
                   fmt::format("{}/{}-%{}.log", request_.scripts, step.kind, array(step) ? "A_%a" : "j"));
    text += option("open-mode", "append");  // a requeued job goes on in its log
    if (array(step)) text += option("array", fmt::format("0-{}", step.elements - 1));
    if (step.kind == "train")
      text += option("signal", fmt::format("B:USR1@{}", site_.stop_before.count())) + "#SBATCH --requeue\n";
    for (size_t i = 0; i < step.groups.size(); ++i)
      text += fmt::format("{}{}", i > 0 ? "#SBATCH hetjob\n" : "", resources(step.groups[i]));
    return text;
  }

  std::string seed() const override { return "SLURM_ARRAY_TASK_ID"; }
  bool signals_shell() const override { return true; }

  std::string after() const override {
    const bool seeds = !request_.seeds.empty();
    // The id of an array's last element is also the whole array's: an element is named by both its numbers.
    return comment(fmt::format(
               "Code 85: stopped at a checkpoint. The job goes back into the queue under its own id, so that what waits for "
               "it goes on waiting; not when it was cancelled, and at most {} times. A heterogeneous job has a line a component.",
               site_.restarts)) +
           fmt::format(R"sh(job={}
if [ "$code" -eq 85 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {} ] &&
  [ "$(squeue --noheader --jobs="$job" --format=%T | sort -u)" = RUNNING ]; then
  scontrol requeue "$job"
fi
exit "$code"
)sh",
                       seeds ? "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" : "$SLURM_JOB_ID",
                       site_.restarts);
  }

  std::string submit(const std::vector<Step>& steps) const override {
    std::string text, before;
    for (const Step& step : steps) {
      const std::string wait =
          before.empty()
              ? ""
              : fmt::format(" --dependency=afterok:\"${{{}%%;*}}\" --kill-on-invalid-dep=yes", before);
      text += fmt::format("{}=$(sbatch --parsable{} {})\necho \"{} ${}\"\n", step.kind, wait,
                          quoted(script_of(step.kind)), step.kind, step.kind);
      before = step.kind;
    }
    return text;
  }

  std::string submit_by_hand(const std::string& script) const override { return "sbatch " + script; }

 private:
  static std::string option(const char* name, const std::string& value) {
    return fmt::format("#SBATCH --{}={}\n", name, plain(value) ? value : "\"" + value + "\"");
  }

  std::string resources(const NodeGroup& g) const {
    std::string text, features = g.constraint;
    for (const std::string& mode : {g.numa_mode, g.mcdram})
      if (!mode.empty()) features += (features.empty() ? "" : "&") + mode;
    if (!g.partition.empty()) text += option("partition", g.partition);
    text += option("nodes", std::to_string(g.nodes));
    text += option("ntasks-per-node", std::to_string(g.ranks));
    text += option("cpus-per-task", std::to_string(g.cpus_per_rank()));
    if (g.gpus > 0) text += option("gpus-per-node", std::to_string(g.gpus));
    if (!g.memory.empty()) text += option("mem", g.memory);
    if (!features.empty()) text += option("constraint", features);
    for (const std::string& extra : site_.options) text += "#SBATCH " + extra + "\n";
    return text;
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_slurm(const Site& site, const LaunchRequest& request) {
  return std::make_unique<Slurm>(site, request);
}

}  // namespace convoy
