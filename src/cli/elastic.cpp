#include "cli/elastic.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "cli/signals.h"
#include "comm/launch.h"
#include "comm/mpi.h"
#include "train/checkpoint.h"
#include "train/checkpoints.h"
#include "train/elastic.h"

namespace convoy::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

bool in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((fs::path(folder) / program).c_str(), X_OK) == 0) return true;
  return false;
}

// In a process group of its own, so that a terminal's Ctrl-C reaches the ranks once, as SIGUSR1. Only calls that are safe
// between fork and exec.
pid_t start(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid(), child = ::fork();
  if (child != 0) return child;
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

int wait_for(pid_t child, const StopSignals& signals) {
  bool told = false;
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (ended < 0 && errno != EINTR) fail_errno(errno, "cannot wait for the launcher");
    if (signals.asked() && !told) {
      ::kill(child, SIGUSR1);
      told = true;
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
}

int64_t steps_saved(const fs::path& checkpoints) {
  for (const fs::path& path : list_checkpoints(checkpoints)) {
    try {
      return read_snapshot(path).step;
    } catch (const Error&) {  // restoring says more of it
    }
  }
  return 0;
}

// The first in the PATH that belongs to the MPI library of this program.
std::string default_launcher() {
  const bool open_mpi = mpi_library().starts_with("Open MPI");
  const std::vector<std::string> names =
      open_mpi ? std::vector<std::string>{"mpirun.openmpi", "mpirun"}
               : std::vector<std::string>{"mpiexec.hydra", "mpiexec.mpich", "mpiexec"};
  for (const std::string& name : names)
    if (in_path(name)) return name;
  fail(Exit::usage, "--elastic finds no {} in the PATH, which starts ranks of {}: name it with --launcher",
       names.back(), mpi_library());
}

// Every rank's.
std::vector<std::string> rank_command(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{fs::read_symlink("/proc/self/exe").string()};
  for (size_t i = 1; i < arguments.size(); ++i) {
    const std::string name = arguments[i].substr(0, arguments[i].find('='));
    if (name != "--elastic" && name != "--launcher" && name != "--resume")
      command.push_back(arguments[i]);
    else if (name == arguments[i])
      ++i;  // its value
  }
  command.insert(command.end(), {"--resume", "auto"});
  return command;
}

}  // namespace

void add_elastic_flags(CLI::App& command, ElasticFlags& flags) {
  command
      .add_option("--elastic", flags.ranks,
                  "start so many ranks, and where some are lost go on with those that are left")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command
      .add_option(
          "--launcher", flags.launcher,
          "with --elastic: what starts ranks, \"mpirun --hostfile nodes\" (default: as the MPI library)")
      ->type_name("COMMAND");
}

int supervise(const ElasticFlags& flags, const ElasticRun& run, const std::vector<std::string>& arguments,
              const Log& log) {
  require(flags.ranks > 0, Exit::usage, "--launcher is of use with --elastic N only");
  const auto claim = launch_claim([](const char* name) -> const char* { return std::getenv(name); });
  require(!claim || claim->ranks < 2, Exit::usage,
          "--elastic starts the ranks itself: leave {} away, or name it with --launcher",
          claim ? claim->launcher : "");
  std::istringstream text(flags.launcher.empty() ? default_launcher() : flags.launcher);
  const std::vector<std::string> launcher{std::istream_iterator<std::string>(text), {}};
  const std::vector<std::string> command = rank_command(arguments);
  const StopSignals signals;
  const auto launch = [&](int ranks) {
    std::vector<std::string> words = launcher;
    words.insert(words.end(), {"-n", std::to_string(ranks)});
    words.insert(words.end(), command.begin(), command.end());
    const pid_t child = start(words);
    if (child < 0) fail_errno(errno, fmt::format("cannot start {}", words[0]));
    const int code = wait_for(child, signals);
    require(code != 127, Exit::usage, "{} cannot be started: name a launcher that is there with --launcher",
            words[0]);
    return code;
  };
  return run_elastic(
      {.workers = run.workers, .ranks = flags.ranks}, launch, [&] { return steps_saved(run.checkpoints); },
      [&] { return signals.asked().load(); }, [] { std::this_thread::sleep_for(std::chrono::seconds(5)); },
      log);
}

}  // namespace convoy::cli
