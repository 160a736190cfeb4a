// "Every rank thinks it is rank 0 of 1": the program is linked with one MPI library and was started by the
// launcher of another. Found by comparing MPI's answer with what the launcher wrote into the environment.
// Pure functions.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace convoy {

struct LaunchClaim {
  std::string launcher, variable;  // "Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE"
  int ranks = 0, rank = 0;
};

using Environment = std::function<const char*(const char*)>;  // std::getenv, or a test's

// What the launcher says it started, if this process was started by one: not merely inside an allocation.
std::optional<LaunchClaim> launch_claim(const Environment& environment);

// One sentence for the user: who started what, what is linked, what to do.
std::string launch_mismatch(const LaunchClaim& claim, const std::string& library);

}  // namespace convoy
