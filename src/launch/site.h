// A Site is what one machine file (jobs/launch/machines/*.toml) says of a machine: its scheduler, its nodes and how ranks
// sit on them, how MPI programs start, and what a job has to carry (account, queue, wall time, modules). Nothing in it
// changes the experiment. Unknown, misspelt and ill-typed keys are errors that name file and line (Exit::usage).
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace convoy {

// One kind of node; [node], and [[also]] for a job of several kinds.
struct NodeGroup {
  int nodes = 0;             // of the job; for [node] also --nodes
  int cores = 0;             // of a node, real ones
  int hardware_threads = 1;  // that the scheduler counts as CPUs of one core
  int ranks = 0;             // a node
  int spare_cores = 0;       // of each rank: no compute thread, free for image readers and the allreduce
  int gpus = 0;              // a node; divided evenly among its ranks
  std::string backend = "onednn";
  std::string memory;             // "180G": asked for where given
  std::string partition;          // also the queue
  std::string constraint;         // features of a node, in the scheduler's own words
  std::string mcdram, numa_mode;  // Knights Landing: "flat" or "cache"; "quad", "snc4", ...
  int all_ranks() const { return nodes * ranks; }
  int cores_per_rank() const { return cores / ranks; }
  int cpus_per_rank() const { return cores_per_rank() * hardware_threads; }
  int threads() const { return cores_per_rank() - spare_cores; }
};

struct Site {
  std::filesystem::path file;
  std::string name, description;
  std::string scheduler;          // slurm, pbs, lsf, flux, mpirun
  std::vector<NodeGroup> groups;  // the first is [node]
  std::string account, qos;
  std::chrono::seconds wall_time{0};
  std::chrono::seconds stop_before{0};  // a run stops at a checkpoint so long before wall_time
  int restarts = 0;                     // times that a run stopped so goes on in the queue
  std::vector<std::string> options;     // of the scheduler, in its own words
  std::string launcher;                 // srun, openmpi, mpich, pals, jsrun, flux
  std::vector<std::string> launcher_options;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> modules, setup;
  std::string program = "convoy";  // words of the shell: "apptainer exec convoy.sif convoy"
  int pack_ranks = 0;              // on one node
  std::chrono::seconds pack_wall_time{0}, compare_wall_time{0};

  bool batch() const { return scheduler != "mpirun"; }
  int ranks() const;
  int threads() const;  // of every rank: the fewest of any group
};

const std::vector<std::string>& schedulers();
const std::vector<std::string>& launchers();

Site read_site(const std::filesystem::path& file);
Site read_site_text(const std::string& text, const std::filesystem::path& file);

// What no key alone can tell: numbers that do not fit one another, and what a scheduler does not have.
void check_site(const Site& site);

}  // namespace convoy
