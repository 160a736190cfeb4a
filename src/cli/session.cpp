#include "cli/session.h"

#include <exception>
#include <new>
#include <optional>

namespace convoy::cli {

Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(
        "out of memory: `convoy plan` shows what a job needs; use fewer images per worker or more nodes");
  } catch (const std::exception& error) {
    return Error(error.what());
  }
}

int under_mpi(const Context& context, const std::function<int(Communicator&)>& work) {
  int argc = context.argc;
  char** argv = context.argv;
  MpiSession session(argc, argv);
  std::optional<Error> failure;
  try {
    return work(session.world());
  } catch (const std::exception&) {
    failure = current_error();
  }
  session.abort_job(failure->code(), failure->what());
}

}  // namespace convoy::cli
