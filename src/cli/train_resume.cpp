#include "cli/train_resume.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/error.h"
#include "cli/device_input.h"
#include "cli/shares.h"
#include "train/checkpoints.h"
#include "train/fingerprint.h"
#include "train/run_directory.h"

namespace convoy::cli {

namespace fs = std::filesystem;

namespace {

// 0, "as many as there are", where a checkpoint of another program says no number.
int threads_of(const std::string& said) {
  int threads = 0;
  const auto [end, error] = std::from_chars(said.data(), said.data() + said.size(), threads);
  return error == std::errc() && end == said.data() + said.size() ? std::clamp(threads, 0, kMostThreads) : 0;
}

}  // namespace

TrainFlags settled(TrainFlags flags, Communicator& comm) {
  require(flags.resume.empty() || flags.resume == "auto" || flags.out.empty(), Exit::usage,
          "--resume {} goes on in that folder: leave --out away, or say --resume auto", flags.resume);
  if (flags.resume != "auto") return flags;
  require(!flags.out.empty() && !flags.job.empty(), Exit::usage,
          "--resume auto needs a job file and --out RUN: the folder to go on with, or else to begin");
  const bool begun = fs::is_directory(RunDirectory{flags.out}.checkpoints());
  flags.resume = comm.gather(begun ? flags.out : "").front();
  if (!flags.resume.empty()) flags.out.clear();
  return flags;
}

std::string fingerprint_before(const TrainFlags& flags, Communicator& comm) {
  if (flags.resume.empty()) return "";
  const RunDirectory run{flags.resume};
  return comm.gather(comm.rank() == 0 ? newest_fingerprint(run.checkpoints()) : "").front();
}

PlacementOptions placement_of(const TrainFlags& flags, const std::string& before, int ranks) {
  PlacementOptions wanted = flags.placement;
  wanted.overlap = !flags.no_overlap;
  wanted.stall_limit = std::chrono::seconds(flags.stall_seconds);
  if (!flags.shares.empty() && flags.shares != "auto") wanted.counts = read_shares(flags.shares);
  if (before.empty()) return wanted;
  const auto one_for_all = [&](const char* key) {  // of ranks that differed there is none to take
    const std::string value = fingerprint_value(before, key);
    return value.find(" + ") == std::string::npos ? value : "";
  };
  const std::string backend = one_for_all("backend"), road = one_for_all("road");
  if (!flags.backend_given && !backend.empty()) wanted.backends = {backend};
  if (const int threads = threads_of(one_for_all("threads")); !flags.threads_given && threads > 0)
    wanted.threads = threads;
  if (!flags.road_given && !road.empty()) wanted.road = road;
  const std::string shares = fingerprint_value(before, "shares");
  if (flags.shares.empty() && wanted.road == "library" && std::ranges::count(shares, ',') + 1 == ranks)
    wanted.counts = read_shares(shares);
  return wanted;
}

DeviceInput input_wanted(const TrainFlags& flags, const std::string& before, const std::string& backend) {
  const bool decoded = fingerprint_value(before, "library").find(", nvJPEG ") != std::string::npos;
  return decoded && !flags.device_input_given && backend.starts_with("cudnn") ? DeviceInput::files
                                                                              : input_of(flags.device_input);
}

}  // namespace convoy::cli
