// What is to be launched: one experiment, by its job file, and the steps around it. src/cli fills it from flags, and has
// held the rank count against the experiment before. Paths are written into the scripts as they are given here, and mean
// the same there: the scripts start in `here`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoy {

struct LaunchRequest {
  std::string command;                  // as typed, for the scripts' first lines
  std::string here;                     // the folder that it was typed in
  std::string name, job;                // of the experiment, and its file
  std::string summary;                  // "64 images a step: 4 workers x 16"
  std::string train, held_out;          // packed sets; "" as the job file says
  std::string out;                      // the run's folder; with seeds, the folder of theirs
  std::string scripts;                  // folder for scripts and logs
  std::vector<std::string> overrides;   // --set
  std::vector<std::string> more_flags;  // of convoy train, as they are
  std::string road;                     // "" for convoy's own
  std::vector<uint64_t> seeds;          // none: the job's
  std::string pack_train, pack_held_out, labels;
  bool compare = false;
  std::string against;  // a run, or a folder of runs; "" with compare: the seeds against one another

  bool packs() const { return !pack_train.empty() || !pack_held_out.empty(); }
  std::string run_of(uint64_t seed) const { return out + "/seed" + std::to_string(seed); }
};

}  // namespace convoy
