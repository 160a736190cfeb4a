// Runs a command's work on every rank of an MPI job. An error on any rank is printed once, with rank and host, and ends
// all ranks with its exit code.
#pragma once

#include <functional>

#include "base/error.h"
#include "cli/commands.h"
#include "comm/mpi.h"

namespace convoy::cli {

// The exception that is being handled, with a sentence and an exit code whatever it was.
Error current_error();

int under_mpi(const Context& context, const std::function<int(Communicator&)>& work);

}  // namespace convoy::cli
