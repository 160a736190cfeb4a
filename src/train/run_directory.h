// The folder of one run, made fresh or taken up again by --resume:
//   config.resolved.toml  classes.json  env.json  log.txt  metrics.jsonl  result.json  curve.svg  checkpoints/
// All of it can be read while the run goes on. Rank 0 makes the folder and holds its lock as long as a copy of the
// RunDirectory lives; others learn its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "port/communicator.h"
#include "train/experiment.h"
#include "train/run_lock.h"

namespace convoy {

struct RunDirectory {
  std::filesystem::path root;
  std::shared_ptr<const RunLock> lock{};  // null where the folder is only read
  std::filesystem::path config() const { return root / resolved_name; }
  std::filesystem::path environment() const { return root / "env.json"; }
  std::filesystem::path log() const { return root / "log.txt"; }
  std::filesystem::path metrics() const { return root / "metrics.jsonl"; }
  std::filesystem::path result() const { return root / "result.json"; }
  std::filesystem::path curve() const { return root / "curve.svg"; }
  std::filesystem::path classes() const { return root / "classes.json"; }
  std::filesystem::path checkpoints() const { return root / "checkpoints"; }
};

// Refuses what open_run_directory would refuse by what is there; makes nothing.
void check_run_directory(const std::filesystem::path& wanted, bool resume);

// `wanted` empty: runs/<UTC time>_<experiment name>. A folder that is not empty is refused, unless resume, and one that
// another process trains into is refused always. Collective.
RunDirectory open_run_directory(const std::filesystem::path& wanted, bool resume,
                                const Experiment& experiment, Communicator& comm);
// What the run was given: config.resolved.toml (the first launch's), and in env.json one entry a launch: command, host,
// time, and the variables of convoy, OpenMP, MPI and the batch system, but none that looks like a secret.
void describe_run(const RunDirectory& directory, const Experiment& experiment,
                  const std::vector<std::string>& command);

std::string utc_now();  // "2026-11-21T14:55:02Z"

}  // namespace convoy
