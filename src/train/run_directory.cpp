#include "train/run_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

extern char** environ;

namespace convoy {
namespace {

namespace fs = std::filesystem;

std::string utc(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

std::string file_word(const std::string& name) {
  std::string word;
  for (const char c : name)
    word += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' ? c : '-';
  return word;
}

void create_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail_errno(error.value(), fmt::format("cannot create {}", path.string()));
}

// False if it is there: of two processes that make one folder, one is told so.
bool make_folder(const fs::path& path) {
  if (::mkdir(path.c_str(), 0777) == 0) return true;
  if (errno != EEXIST) fail_errno(errno, fmt::format("cannot create {}", path.string()));
  return false;
}

fs::path make_fresh(const Experiment& experiment) {
  create_folders("runs");
  const std::string base = utc("%Y-%m-%dT%H-%M-%S") + "_" + file_word(experiment.name);
  fs::path path = fs::path("runs") / base;
  for (int i = 2; !make_folder(path); ++i) path = fs::path("runs") / fmt::format("{}-{}", base, i);
  return path;
}

// Rank 0's part: the folder, held, or the reason why it cannot be.
RunDirectory make(const fs::path& wanted, bool resume, const Experiment& experiment) {
  const fs::path path = wanted.empty() ? make_fresh(experiment) : wanted;
  check_run_directory(path, resume);
  if (!resume) create_folders(path);
  auto lock = std::make_shared<const RunLock>(path);
  // Two that both saw an empty folder part here.
  require(make_folder(path / "checkpoints") || resume, Exit::usage,
          "{} has just become another run's: give another folder with --out", path.string());
  return {path, std::move(lock)};
}

// Nothing, or the lock alone of a process that was killed as it started.
bool holds_nothing(const fs::path& folder) {
  return std::all_of(fs::directory_iterator(folder), fs::directory_iterator(),
                     [](const fs::directory_entry& entry) { return entry.path().filename() == ".lock"; });
}

bool wanted_variable(const std::string& entry) {
  const std::string name = entry.substr(0, entry.find('='));
  for (const char* secret : {"TOKEN", "JWT", "KEY", "PASS", "SECRET", "COOKIE"})
    if (name.find(secret) != std::string::npos) return false;
  // The launcher's own addresses and scratch folders say nothing about the run.
  for (const char* noise :
       {"OMPI_MCA_orte", "OMPI_MCA_ess", "OMPI_MCA_initial_wdir", "OMPI_FILE", "OMPI_ARGV"})
    if (name.starts_with(noise)) return false;
  for (const char* prefix : {"CONVOY_", "OMP_", "GOMP_", "KMP_", "DNNL_", "ONEDNN_", "OMPI_", "PMI_", "MPI",
                             "SLURM_", "PBS_", "FLUX_", "LSB_", "CUDA_", "NCCL_"})
    if (name.starts_with(prefix)) return true;
  return false;
}

}  // namespace

std::string utc_now() { return utc("%Y-%m-%dT%H:%M:%SZ"); }

void check_run_directory(const fs::path& path, bool resume) {
  require(!resume || fs::is_directory(path), Exit::usage, "there is no run to resume at {}", path.string());
  require(
      !resume || fs::exists(path / "checkpoints"), Exit::usage,
      "{} is no run directory (it has no checkpoints folder): give the folder that an earlier run printed",
      path.string());
  require(resume || !fs::exists(path) || fs::is_directory(path), Exit::usage,
          "{} is a file: give a folder for the run", path.string());
  require(resume || !fs::exists(path) || holds_nothing(path), Exit::usage,
          "{} is not empty: continue that run with --resume, or give another folder with --out",
          path.string());
}

RunDirectory open_run_directory(const fs::path& wanted, bool resume, const Experiment& experiment,
                                Communicator& comm) {
  RunDirectory directory = comm.rank() == 0 ? make(wanted, resume, experiment) : RunDirectory{};
  directory.root = comm.gather(directory.root.string()).front();
  return directory;
}

void describe_run(const RunDirectory& directory, const Experiment& experiment,
                  const std::vector<std::string>& command) {
  using Json = nlohmann::ordered_json;
  // A resumed run keeps its first configuration (the experiment is the same) and adds a launch to the environment.
  if (!fs::exists(directory.config())) replace_file(directory.config(), resolved_toml(experiment));
  Json environment = Json::object();
  if (fs::exists(directory.environment()))
    environment = Json::parse(read_text(directory.environment()), nullptr, false);
  if (!environment.is_object() || !environment.contains("launches"))
    environment = {{"launches", Json::array()}};
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  Json variables = Json::object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (wanted_variable(text)) variables[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
  }
  environment["launches"].push_back({{"started", utc_now()},
                                     {"command", command},
                                     {"folder", fs::current_path().string()},
                                     {"host", host.data()},
                                     {"variables", variables}});
  replace_file(directory.environment(),
               environment.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace convoy
