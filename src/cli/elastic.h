// `convoy train --elastic N`: this process starts the MPI launcher as a child, on N ranks, and watches it (train/elastic.h).
// Signals are passed on as SIGUSR1, which every launcher hands to the ranks; it dies with this process.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "base/log.h"

namespace convoy::cli {

struct ElasticFlags {
  int ranks = 0;         // 0: not elastic
  std::string launcher;  // words; "-n RANKS" follows; "": mpirun or mpiexec, as the MPI library
  bool wanted() const { return ranks > 0 || !launcher.empty(); }
};
void add_elastic_flags(CLI::App& command, ElasticFlags& flags);

struct ElasticRun {
  int workers = 1;                    // of the experiment
  std::filesystem::path checkpoints;  // the run's
};
// `arguments`: of this command; the ranks get them without the flags above, and with --resume auto. Returns its exit code.
int supervise(const ElasticFlags& flags, const ElasticRun& run, const std::vector<std::string>& arguments,
              const Log& log);

}  // namespace convoy::cli
