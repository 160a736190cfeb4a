#include "launch/train_script.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/duration.h"
#include "launch/shell.h"
#include "launch/starter.h"

namespace convoy {
namespace {

using Words = std::vector<std::string>;

void append(Words& to, const Words& from) { to.insert(to.end(), from.begin(), from.end()); }

bool one_backend(const Site& site) {
  for (const NodeGroup& group : site.groups)
    if (group.backend != site.groups[0].backend) return false;
  return true;
}

// One a rank, in the order of the groups.
std::string backend_list(const Site& site) {
  std::string text = "backends=$(";
  for (const NodeGroup& g : site.groups)
    text += fmt::format("{}printf '{},%.0s' {{1..{}}}", &g == &site.groups[0] ? "" : "; ", g.backend,
                        g.all_ranks());
  return text + ")\n";
}

Words train_words(const Site& site, const LaunchRequest& request, const Scheduler& scheduler) {
  Words words{site.program + " train", quoted(request.job)};
  if (!request.train.empty()) words.push_back("--train " + quoted(request.train));
  if (!request.held_out.empty()) words.push_back("--held-out " + quoted(request.held_out));
  append(words,
         {"--out \"$run\"", "--resume auto", fmt::format("--threads {}", site.threads()),
          one_backend(site) ? "--backend " + quoted(site.groups[0].backend) : "--backend \"${backends%,}\""});
  if (!request.road.empty()) words.push_back("--road " + request.road);
  if (site.batch() && !scheduler.signals_shell())
    words.push_back("--time-limit " + print_duration(site.wall_time - site.stop_before));
  for (const std::string& item : request.overrides) words.push_back("--set " + quoted(item));
  if (!request.seeds.empty()) words.emplace_back("--set train.seed=\"$seed\"");
  for (const std::string& flag : request.more_flags) words.push_back(quoted(flag));
  return words;
}

std::string choose_seed(const LaunchRequest& request, const Scheduler& scheduler) {
  if (request.seeds.empty()) return fmt::format("run={}\n", quoted(request.out));
  const std::string run = fmt::format("run={}/seed\"$seed\"\n", quoted(request.out));
  if (scheduler.seed().empty())
    return "seed=${CONVOY_SEED:?is set by submit.sh, a job for each seed}\n" + run;
  return fmt::format("seeds=({})\nseed=${{seeds[{}]}}\n", fmt::join(request.seeds, " "), scheduler.seed()) +
         run;
}

std::string why_signals(const Site& site) {
  if (site.scheduler == "slurm")
    return comment(fmt::format(
        "{} before the time limit Slurm sends this shell SIGUSR1, which goes on to the ranks: convoy ends at a checkpoint, "
        "with code 85. At scancel Slurm signals the ranks itself; a second signal would end them at once.",
        print_duration(site.stop_before)));
  if (!site.batch())
    return comment(
        "SIGUSR1, SIGTERM and SIGINT reach the ranks as one SIGUSR1: convoy ends at a checkpoint, with code 85.");
  return comment(fmt::format(
      "convoy itself ends at a checkpoint, with code 85, {} before the wall time (--time-limit). A job that is deleted is "
      "signalled by the scheduler, rank by rank: this shell only waits.",
      print_duration(site.stop_before)));
}

std::string traps(const Site& site) {
  if (!site.batch()) return "trap 'again=yes; kill -USR1 \"$launcher\" 2>/dev/null' USR1 TERM INT\n";
  const std::string wait = "trap 'again=yes' TERM\n";
  return site.scheduler == "slurm" ? "trap 'again=yes; kill -USR1 \"$launcher\" 2>/dev/null' USR1\n" + wait
                                   : wait;
}

// `wait` returns early at every signal: once more then.
std::string run_and_wait(const Site& site, const Words& words) {
  return folded(start_words(site, site.groups, words)) + R"( &
launcher=$!
again=yes
while [ "$again" = yes ]; do
  again=no code=0
  wait "$launcher" || code=$?
done
echo "convoy train ended with code $code"
)";
}

std::string indented(const std::string& text) {
  std::string out = "  ";
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == '\n' && i + 1 < text.size() && text[i + 1] != '\n') out += "  ";
  }
  return out;
}

}  // namespace

std::string train_body(const Site& site, const LaunchRequest& request, const Scheduler& scheduler) {
  const std::string backends = one_backend(site) ? "" : backend_list(site);
  const std::string run = run_and_wait(site, train_words(site, request, scheduler));
  if (site.batch())
    return choose_seed(request, scheduler) + backends + "\n" + scheduler.before() +
           (scheduler.before().empty() ? "" : "\n") + why_signals(site) + traps(site) + run + "\n" +
           scheduler.after();
  const std::string start = why_signals(site) + traps(site);
  const std::string stop = "[ \"$code\" -eq 0 ] || exit \"$code\"\n";
  if (request.seeds.empty()) return choose_seed(request, scheduler) + "\n" + start + run + stop;
  return start + fmt::format("for seed in {}; do\n", fmt::join(request.seeds, " ")) +
         indented(fmt::format("run={}/seed\"$seed\"\n", quoted(request.out)) + run + stop) + "done\n";
}

std::string pack_body(const Site& site, const LaunchRequest& request, const Step& step) {
  std::string text = comment("Killed and started again, pack keeps what it has finished.");
  const auto pack = [&](const std::string& source, const std::string& out, const Words& more) {
    Words words{site.program + " pack", quoted(source), "--out " + quoted(out)};
    append(words, more);
    text += folded(start_words(site, step.groups, words)) + " || exit\n";
  };
  if (!request.pack_train.empty()) pack(request.pack_train, request.train, {});
  Words more;
  if (!request.labels.empty()) more.push_back("--labels " + quoted(request.labels));
  more.push_back("--classes " + quoted(request.train));
  if (!request.pack_held_out.empty()) pack(request.pack_held_out, request.held_out, more);
  return text;
}

std::string compare_body(const Site& site, const LaunchRequest& request) {
  Words words{site.program + " compare"};
  if (!request.against.empty()) {
    append(words, {quoted(request.against), quoted(request.out)});
  } else {
    for (const uint64_t seed : request.seeds) words.push_back(quoted(request.run_of(seed)));
  }
  words.push_back("--html " + quoted(request.scripts + "/compare.html"));
  if (!request.against.empty())
    return comment("Exit code 1: a regression; 2: not comparable.") + folded(words) + "\n";
  return comment("Between seeds a difference (1) is no regression; 2: not comparable.") + folded(words) +
         "\ncode=$?\n[ \"$code\" -le 1 ] || exit \"$code\"\n";
}

}  // namespace convoy
