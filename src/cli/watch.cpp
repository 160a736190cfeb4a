// convoy watch RUN: how a run stands, from its folder alone; ends when the run does, with the run's exit code.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "cli/commands.h"
#include "cli/tree.h"
#include "observe/run_view.h"
#include "observe/watch_text.h"

namespace convoy::cli {
namespace {

struct Flags {
  std::string run;
  bool once = false, json = false;
  double interval = 1.0;
};

int columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 0;
}

class Screen {
 public:
  explicit Screen(const Flags& flags)
      : json_(flags.json),
        terminal_(::isatty(STDOUT_FILENO) == 1),
        block_(terminal_ || flags.once),
        colour_(terminal_ && std::getenv("NO_COLOR") == nullptr) {}

  void show(const RunState& state) {
    if (json_) return print(to_json(state));
    if (!block_) return print(watch_line(state));
    std::string text;
    const std::vector<std::string> lines = watch_block(state, colour_, columns());
    if (drawn_ > 0) text += fmt::format("\x1b[{}A\x1b[J", drawn_);
    for (const std::string& line : lines) text += line + "\n";
    write(text);
    drawn_ = lines.size();
  }

 private:
  // What changes with the clock alone is no news.
  void print(nlohmann::ordered_json json) {
    const std::string whole = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    json["quiet_s"] = nullptr;
    std::string news = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    if (news == last_) return;
    last_ = std::move(news);
    write(whole + "\n");
  }
  void print(const std::string& line) {
    if (std::exchange(last_, line) != line) write(line + "\n");
  }
  static void write(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

  bool json_, terminal_, block_, colour_;
  size_t drawn_ = 0;
  std::string last_;
};

int watch(const Flags& flags) {
  RunView view(flags.run);
  Screen screen(flags);
  while (true) {
    const RunState& state = view.refresh();
    screen.show(state);
    if (state.ended()) return state.exit_code.value_or(0);
    if (flags.once) return 0;
    std::this_thread::sleep_for(std::chrono::duration<double>(flags.interval));
  }
}

}  // namespace

void add_watch(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("watch", "how a run stands, while it runs or afterwards; reads its folder alone");
  set_examples(*command,
               {"convoy watch runs/first                 # redrawn on a terminal, else a line a change",
                "convoy watch runs/first --once --json   # one object, for scripts"});
  command->footer(
      "Exit code: the run's own when it has ended (README, \"Exit codes\"; 1 if it was killed), 0 while it runs.");
  auto flags = std::make_shared<Flags>();
  command->add_option("RUN", flags->run, "the run's folder")->required()->type_name("RUN");
  command->add_flag("--once", flags->once, "show it once, do not wait for the run's end");
  command->add_flag("--json", flags->json, "JSON: one object, or one a line and change");
  command->add_option("--interval", flags->interval, "seconds between two looks")
      ->capture_default_str()
      ->check(CLI::Range(0.05, 3600.0));
  command->callback([&context, flags] { context.chosen = [flags] { return watch(*flags); }; });
}

}  // namespace convoy::cli
