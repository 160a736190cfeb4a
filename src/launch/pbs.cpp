// PBS Professional and OpenPBS: qsub. PBS has no signal before the wall time and users may not rerun jobs: convoy watches the
// time itself (--time-limit), and a run goes on in the next of its legs (launch/legs.h).
#include <fmt/format.h>

#include "base/duration.h"
#include "launch/legs.h"
#include "launch/scheduler.h"
#include "launch/shell.h"

namespace convoy {
namespace {

class Pbs : public Scheduler {
 public:
  using Scheduler::Scheduler;

  std::string directives(const Step& step) const override {
    std::string text = fmt::format("#PBS -N {}\n", job_name(step));
    if (!site_.account.empty()) text += fmt::format("#PBS -A {}\n", site_.account);
    if (const std::string& queue = step.groups[0].partition; !queue.empty())
      text += fmt::format("#PBS -q {}\n", queue);
    text += fmt::format("#PBS -l walltime={}\n", print_duration(step.wall_time));
    std::string select;
    for (const NodeGroup& group : step.groups)
      select += fmt::format("{}{}", select.empty() ? "" : "+", chunk(group));
    text += fmt::format("#PBS -l select={}\n#PBS -l place={}\n", select,
                        step.kind == "compare" ? "free" : "scatter:excl");
    text += fmt::format("#PBS -j oe\n#PBS -o {}/\n#PBS -W umask=022\n#PBS -r y\n", request_.scripts);
    if (array(step)) text += fmt::format("#PBS -J 0-{}\n", step.elements - 1);
    for (const std::string& extra : site_.options) text += "#PBS " + extra + "\n";
    return text;
  }

  std::string seed() const override { return "PBS_ARRAY_INDEX"; }
  std::string before() const override { return leg_before(request_); }
  std::string after() const override { return leg_after(); }

  std::string submit(const std::vector<Step>& steps) const override {
    std::string before, text = forget_codes(request_.scripts);
    for (const Step& step : steps) {
      const std::string wait = before.empty() ? "" : fmt::format(" -W depend=afterok:\"${}\"", before);
      text += fmt::format("{}=$(qsub{} {})\necho \"{} ${}\"\n", step.kind, wait, quoted(script_of(step.kind)),
                          step.kind, step.kind);
      if (step.kind == "train" && site_.restarts > 0)
        text += fmt::format(
            "for leg in {{2..{}}}; do\n  train=$(qsub -W depend=afterany:\"$train\" -v CONVOY_LEG=\"$leg\" {})\n"
            "  echo \"train, leg $leg: $train\"\ndone\n",
            site_.restarts + 1, quoted(script_of("train")));
      before = step.kind;
    }
    return text;
  }

  std::string submit_by_hand(const std::string& script) const override { return "qsub " + script; }

 private:
  static std::string chunk(const NodeGroup& g) {
    std::string text = fmt::format("{}:ncpus={}:mpiprocs={}:ompthreads={}", g.nodes,
                                   g.cores * g.hardware_threads, g.ranks, g.threads());
    if (g.gpus > 0) text += fmt::format(":ngpus={}", g.gpus);
    if (!g.memory.empty()) text += fmt::format(":mem={}", g.memory);
    if (!g.constraint.empty()) text += ":" + g.constraint;
    return text;
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_pbs(const Site& site, const LaunchRequest& request) {
  return std::make_unique<Pbs>(site, request);
}

}  // namespace convoy
