#include "comm/launch.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>

namespace convoy {
namespace {

struct Launcher {
  const char* name;
  const char* ranks;   // variable that holds the number of ranks
  const char* rank;    // and this one's
  const char* needed;  // also has to be there, or nullptr
};

// The first that is set decides: the innermost launcher's own variables come before the batch system's.
// Slurm's SLURM_NTASKS is no evidence, an allocation has it too; a step's SLURM_STEP_NUM_TASKS with a
// SLURM_PROCID is.
constexpr std::array launchers{
    Launcher{"Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", nullptr},
    Launcher{"MVAPICH's launcher", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", nullptr},
    Launcher{"a PMI launcher (MPICH's or Intel MPI's mpiexec, PALS, srun --mpi=pmi2)", "PMI_SIZE", "PMI_RANK",
             nullptr},
    Launcher{"a hydra launcher (MPICH's or Intel MPI's mpiexec)", "MPI_LOCALNRANKS", "MPI_LOCALRANKID",
             nullptr},
    Launcher{"jsrun", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK", nullptr},
    Launcher{"flux run", "FLUX_JOB_SIZE", "FLUX_TASK_RANK", "FLUX_TASK_RANK"},
    Launcher{"PALS", "PALS_LOCAL_SIZE", "PALS_RANKID", "PALS_RANKID"},
    Launcher{"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_ID"},
};

std::optional<int> number(const char* text) {
  int value = 0;
  if (text == nullptr) return std::nullopt;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error != std::errc() || *end != '\0') return std::nullopt;
  return value;
}

}  // namespace

std::optional<LaunchClaim> launch_claim(const Environment& environment) {
  for (const Launcher& launcher : launchers) {
    const std::optional<int> ranks = number(environment(launcher.ranks));
    if (!ranks || (launcher.needed != nullptr && environment(launcher.needed) == nullptr)) continue;
    return LaunchClaim{launcher.name, launcher.ranks, *ranks, number(environment(launcher.rank)).value_or(0)};
  }
  return std::nullopt;
}

std::string launch_mismatch(const LaunchClaim& claim, const std::string& library) {
  const bool open_mpi = library.starts_with("Open MPI");
  const bool slurm = claim.variable.starts_with("SLURM");
  const std::string remedy =
      slurm
          ? fmt::format("use srun --mpi={} (srun --mpi=list shows what there is)", open_mpi ? "pmix" : "pmi2")
          : fmt::format(
                "start it with {}, or build it with -DMPI_CXX_COMPILER= the compiler of the MPI you use",
                open_mpi ? "the mpirun of Open MPI (mpirun.openmpi)"
                         : fmt::format("the mpiexec that belongs to {} (mpiexec.hydra)", library));
  return fmt::format(
      "{} started {} ranks ({}={}), but this convoy is linked with {}, which was told nothing of it, so each "
      "of them believes that it is rank 0 of 1: {}",
      claim.launcher, claim.ranks, claim.variable, claim.ranks, library, remedy);
}

}  // namespace convoy
