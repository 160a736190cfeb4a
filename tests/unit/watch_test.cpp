// A run's folder as `convoy watch` sees it: torn, replaced, old, killed, ended.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "../support/temporary_folder.h"
#include "base/error.h"
#include "base/file.h"
#include "observe/line_tail.h"
#include "observe/run_view.h"
#include "observe/watch_text.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using Catch::Contains;
using Lines = std::vector<std::string>;

struct Folder : testing::TemporaryFolder {
  void append(const char* name, const std::string& text) const {
    std::ofstream(path() / name, std::ios::app) << text;
  }
};

std::string step_line(int step, double loss) {
  return fmt::format(
      R"({{"event":"step","step":{},"images":8,"loss":{},"correct1":2,"rate":0.1,"warmup":{},"step_s":0.4,)"
      R"("data_wait_s":0.1,"compute_s":0.2,"communication_exposed_s":0.1,"optimizer_s":0,"other_s":0.1}})"
      "\n",
      step, loss, step == 0);
}

constexpr const char* result =
    R"({"status": "running", "exit_code": null, "reason": null, "experiment": {"name": "tiny",
  "resolved": {"minibatch": {"workers": 2, "images": 4}}}, "launch": {"ranks": 2, "per_rank": [{"host": "a"}, {"host": "b"}]},
  "dataset": {"train": {"images": 80}}, "epochs": [], "steps": {"count": 0, "planned": 20}})";

}  // namespace

TEST_CASE("lines come when they are whole, from near the end of a large file, and anew from another file") {
  const Folder folder;
  LineTail tail(folder.path() / "f", 10);
  CHECK(tail.more().empty());
  folder.append("f", "one\ntw");
  CHECK(tail.more() == Lines{"one"});
  CHECK(tail.more().empty());
  folder.append("f", "o\n\nthree\n");
  CHECK(tail.more() == Lines{"two", "", "three"});
  CHECK_FALSE(tail.restarted());
  replace_file(folder.path() / "f", "a long first line\nlast\n");
  CHECK(tail.more() == Lines{"last"});
  CHECK(tail.restarted());
}

TEST_CASE("a line nested so deeply that printing it would run out of stack is passed over") {
  const Folder folder;
  folder.append("config.resolved.toml", "");
  folder.append("metrics.jsonl", R"({"event":"evaluation","x":)" + std::string(300000, '[') +
                                     std::string(300000, ']') + "}\n" + step_line(4, 1.5));
  RunView view(folder.path());
  CHECK(to_json(view.refresh()).dump().size() < 2000);
  CHECK(view.refresh().steps_done == 5);
}

TEST_CASE("what a run's files say cannot steer the terminal") {
  const Folder folder;
  folder.append("config.resolved.toml", "");
  folder.append("result.json",
                R"({"status": "\u001b]0;x\u0007", "reason": "\u001b[2J", "launch": {"ranks": 1e19}})");
  folder.append("times.jsonl",
                R"({"event":"times","slowest":{"rank":0,"host":"\u001b[31m"},"advice":"\u001b[0m"})"
                "\n");
  RunView view(folder.path());
  const RunState& state = view.refresh();
  for (const std::string& line : watch_block(state, false, 0)) CHECK(line.find('\x1b') == std::string::npos);
  CHECK(watch_line(state).find('\x1b') == std::string::npos);
  CHECK(state.ranks == 0);
}

TEST_CASE("a run is seen growing, with a torn line, and ends with its exit code") {
  const Folder folder;
  CHECK_THROWS_WITH(RunView(folder.path()), Contains("no run's folder"));
  CHECK_THROWS_WITH(RunView(folder.path() / "no"), Contains("there is no run at"));
  folder.append("config.resolved.toml", "");
  RunView view(folder.path());
  CHECK(view.refresh().status == "starting");
  CHECK_FALSE(watch_block(view.refresh(), false, 80).empty());
  replace_file(folder.path() / "result.json", result);
  folder.append("metrics.jsonl", step_line(0, 2.5) + step_line(1, 2.25) + R"({"event":"step","st)");
  const RunState now = view.refresh();
  CHECK((now.status == "running" && now.steps_done == 2 && now.ranks == 2 && now.hosts == 2));
  CHECK(*now.loss == 2.25);
  CHECK(*now.top1 == 0.25);
  CHECK(*now.images_per_s == Approx(16.0));
  CHECK(*now.seconds_left == Approx(9.0));
  CHECK(*now.communication == Approx(0.2));
  CHECK(now.epochs() == Approx(0.2));
  folder.append("metrics.jsonl", "ep\":2}\n" + step_line(2, 2.0));
  CHECK(view.refresh().steps_done == 3);
  folder.append("times.jsonl",
                R"({"event":"evaluation","step":2,"share":{"compute":0.5},"slowest":{"rank":1,"host":"b",)"
                R"("behind_median":0.25},"advice":"data: look","ranks":[{"rank":1,"own_p50_s":0.3,)"
                R"("own_p95_s":0.4}]})"
                "\n");
  const Lines block = watch_block(view.refresh(), false, 200);
  const std::string text = fmt::format("{}", fmt::join(block, "\n"));
  CHECK_THAT(text, Contains("step 3/20") &&
                       Contains("rank 1 (b), own work 0.3 s a step (p95 0.4 s), 25 % above") &&
                       Contains("data: look") && Contains("2 ranks on 2 hosts") && !Contains("\x1b"));
  CHECK_THAT(fmt::format("{}", fmt::join(watch_block(view.refresh(), true, 200), "\n")), Contains("\x1b["));
  CHECK_THAT(watch_line(view.refresh()),
             Contains("slowest rank 1 (b)") && Contains("exposed communication 20 %"));
  std::string ended = result;
  ended.replace(ended.find("running"), 7, "time_limit");
  ended.replace(ended.find("null"), 4, "85");
  replace_file(folder.path() / "result.json", ended);
  const RunState last = view.refresh();
  CHECK(last.ended());
  CHECK(last.exit_code == 85);
  CHECK_THAT(watch_line(last), Contains("time_limit, exit code 85"));
}

TEST_CASE("what is not as it should be is unknown, and no error") {
  const Folder folder;
  folder.append("result.json",
                R"({"status": 7, "steps": [], "launch": {"per_rank": 3}, "epochs": {"a": 1}})");
  folder.append("metrics.jsonl",
                "[]\n7\n{\"event\":3}\n{\"event\":\"step\",\"step\":\"x\",\"loss\":null}\n\xff\n");
  folder.append("times.jsonl", "{\"event\":\"end\",\"slowest\":7,\"share\":[],\"ranks\":5}\n");
  RunView view(folder.path());
  const RunState state = view.refresh();
  CHECK(state.status == "running");
  CHECK_FALSE(state.loss);
  CHECK_FALSE(state.seconds_left);
  CHECK_FALSE(watch_block(state, true, 80).empty());
  CHECK(to_json(state).at("loss").is_null());
  folder.append("result.json", "garbage");
  CHECK(view.refresh().status == "running");
}

TEST_CASE("a run whose process is gone was killed; one that is silent but alive was not") {
  const Folder folder;
  folder.append("result.json", result);
  folder.append("metrics.jsonl", step_line(0, 1.0));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(1);
  const auto state_with = [&](long process, const std::string& on, bool silent) {
    replace_file(folder.path() / ".lock", fmt::format("process {} on {}", process, on));
    fs::last_write_time(folder.path() / "metrics.jsonl", silent ? long_ago : fs::file_time_type::clock::now());
    return RunView(folder.path()).refresh();
  };
  CHECK(state_with(::getpid(), host, true).status == "running");
  CHECK(state_with(child, "another-host", true).status == "running");
  CHECK(state_with(child, host, false).status == "running");
  const RunState killed = state_with(child, host, true);
  CHECK(killed.status == "killed");
  CHECK(killed.exit_code == 1);
  CHECK_THAT(killed.reason, Contains("--resume"));
}

}  // namespace convoy
