// IBM Spectrum LSF: bsub. LSF requeues a job that ends with 85 (-Q), under its own id. Its warning signal (-wa) goes to every
// process of the job, ranks and launcher, and a rank that gets it twice ends at once: convoy watches the time itself.
#include <fmt/format.h>

#include "launch/scheduler.h"
#include "launch/shell.h"

namespace convoy {
namespace {

class Lsf : public Scheduler {
 public:
  using Scheduler::Scheduler;

  std::string directives(const Step& step) const override {
    const NodeGroup& g = step.groups[0];
    const auto minutes = (step.wall_time.count() + 59) / 60;
    std::string text = fmt::format("#BSUB -J \"{}{}\"\n", job_name(step),
                                   array(step) ? fmt::format("[1-{}]", step.elements) : "");
    if (!site_.account.empty()) text += fmt::format("#BSUB -P {}\n", site_.account);
    if (!g.partition.empty()) text += fmt::format("#BSUB -q {}\n", g.partition);
    text += fmt::format("#BSUB -W {:02}:{:02}\n", minutes / 60, minutes % 60);
    text += fmt::format("#BSUB -cwd {}\n#BSUB -o {}/{}-%J{}.log\n", request_.here, request_.scripts,
                        step.kind, array(step) ? "-%I" : "");
    text += site_.launcher == "jsrun"
                ? fmt::format("#BSUB -nnodes {}\n", g.nodes)
                : fmt::format("#BSUB -n {}\n#BSUB -R \"span[ptile={}] affinity[core({})]\"\n#BSUB -x\n",
                              g.all_ranks(), g.ranks, g.cores_per_rank());
    if (g.gpus > 0 && site_.launcher != "jsrun")
      text += fmt::format("#BSUB -gpu \"num={}:mode=shared\"\n", g.gpus);
    if (!g.memory.empty()) text += fmt::format("#BSUB -R \"rusage[mem={}]\"\n", g.memory);
    if (!g.constraint.empty()) text += fmt::format("#BSUB -R \"select[{}]\"\n", g.constraint);
    if (step.kind == "train")
      text += fmt::format("#BSUB -r\n{}", site_.restarts > 0 ? "#BSUB -Q \"85\"\n" : "");
    for (const std::string& extra : site_.options) text += "#BSUB " + extra + "\n";
    return text;
  }

  std::string seed() const override { return "LSB_JOBINDEX - 1"; }

  std::string after() const override {
    if (site_.restarts == 0) return "exit \"$code\"\n";
    const std::string file = quoted(request_.scripts + "/train") +
                             (request_.seeds.empty() ? ".restarts" : "-seed\"$seed\".restarts");
    return comment(fmt::format(
               "Code 85: stopped at a checkpoint, and LSF requeues the job under its own id, so that what waits for it goes "
               "on waiting. After {} times another code ends that.",
               site_.restarts)) +
           fmt::format(R"sh(restarts={}
if [ "$code" -eq 85 ]; then
  echo . >>"$restarts"
  [ "$(wc -l <"$restarts")" -le {} ] || code=75
fi
[ "$code" -eq 85 ] || rm -f "$restarts"
exit "$code"
)sh",
                       file, site_.restarts);
  }

  std::string submit(const std::vector<Step>& steps) const override {
    std::string text = R"(submit() { bsub "${@:2}" <"$1" | sed -n 's/^Job <\([0-9]*\)>.*/\1/p'; }
)";
    std::string wait;
    for (const Step& step : steps) {
      text += fmt::format("{}=$(submit {}{})\necho \"{} ${}\"\n", step.kind, quoted(script_of(step.kind)),
                          wait, step.kind, step.kind);
      wait = fmt::format(" -w \"{}\"", array(step) ? fmt::format("numdone(${}, *)", step.kind)
                                                   : fmt::format("done(${})", step.kind));
    }
    return text;
  }

  std::string submit_by_hand(const std::string& script) const override { return "bsub < " + script; }
};

}  // namespace

std::unique_ptr<Scheduler> make_lsf(const Site& site, const LaunchRequest& request) {
  return std::make_unique<Lsf>(site, request);
}

}  // namespace convoy
