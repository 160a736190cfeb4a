// The communicator's control calls, and the check for a launcher that does not fit the library.
#include <catch2/catch.hpp>
#include <map>
#include <numeric>

#include "comm/launch.h"
#include "world.h"

using namespace convoy;
using namespace convoy::testing;
using Catch::Matchers::Contains;

namespace {

std::optional<LaunchClaim> claim_in(const std::map<std::string, std::string>& variables) {
  return launch_claim([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

}  // namespace

TEST_CASE("communicator: broadcast, sum and gather, also when messages must be cut") {
  MpiCommunicator cutting(3);
  for (Communicator* ranks : {static_cast<Communicator*>(&world()), static_cast<Communicator*>(&cutting)}) {
    const int root = ranks->size() - 1;
    std::vector<std::byte> data(10, std::byte(ranks->rank() == root ? 42 : 0));
    ranks->broadcast(data, root);
    CHECK(std::all_of(data.begin(), data.end(), [](std::byte b) { return b == std::byte(42); }));

    std::vector<int64_t> values(7);
    std::iota(values.begin(), values.end(), (int64_t{1} << 53) + ranks->rank());  // a double would lose these
    ranks->sum(values);
    const int64_t size = ranks->size();
    for (int64_t i = 0; i < 7; ++i)
      CHECK(values[static_cast<size_t>(i)] == size * ((int64_t{1} << 53) + i) + size * (size - 1) / 2);

    const auto texts = ranks->gather(std::string(static_cast<size_t>(ranks->rank()), 'x'));
    REQUIRE(texts.size() == static_cast<size_t>(ranks->size()));
    for (size_t r = 0; r < texts.size(); ++r) CHECK(texts[r] == std::string(r, 'x'));
    ranks->barrier();
  }
  CHECK((world().library().starts_with("Open MPI ") || world().library().starts_with("MPICH ")));
}

TEST_CASE("launch: what launchers say is understood, an allocation alone says nothing") {
  CHECK_FALSE(claim_in({}));
  CHECK_FALSE(claim_in({{"SLURM_NTASKS", "8"}, {"SLURM_JOB_ID", "1"}}));  // salloc
  CHECK_FALSE(
      claim_in({{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}, {"SLURM_JOB_ID", "1"}}));  // sbatch script
  CHECK_FALSE(claim_in({{"FLUX_JOB_SIZE", "8"}}));
  const auto step = claim_in({{"SLURM_STEP_NUM_TASKS", "8"}, {"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "3"}});
  REQUIRE(step);
  CHECK((step->launcher == "srun" && step->ranks == 8 && step->rank == 3));
  CHECK(claim_in({{"FLUX_JOB_SIZE", "4"}, {"FLUX_TASK_RANK", "1"}})->launcher == "flux run");
  CHECK(claim_in({{"JSM_NAMESPACE_SIZE", "4"}, {"JSM_NAMESPACE_RANK", "2"}})->rank == 2);
  CHECK(claim_in({{"PMI_SIZE", "5"}, {"PMI_RANK", "4"}})->ranks == 5);
  CHECK_FALSE(claim_in({{"PMI_SIZE", "nonsense"}}));
  // mpirun -n 1 inside an srun step of 4: the inner launcher decides.
  CHECK(claim_in({{"OMPI_COMM_WORLD_SIZE", "1"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_STEP_ID", "0"}})
            ->ranks == 1);
}

TEST_CASE("launch: the mismatch is explained in one sentence with the way out") {
  const LaunchClaim mpirun{"Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE", 4, 0},
      srun{"srun", "SLURM_STEP_NUM_TASKS", 4, 0};
  CHECK_THAT(launch_mismatch(mpirun, "MPICH 4.0.2"),
             Contains("started 4 ranks (OMPI_COMM_WORLD_SIZE=4)") && Contains("linked with MPICH 4.0.2") &&
                 Contains("mpiexec.hydra") && Contains("rank 0 of 1"));
  CHECK_THAT(launch_mismatch(srun, "Open MPI 4.1.4"), Contains("--mpi=pmix"));
  CHECK_THAT(launch_mismatch(srun, "MPICH 4.0.2"), Contains("--mpi=pmi2"));
}
