#include "cli/session.h"

#include <exception>
#include <new>
#include <optional>

#include "base/error.h"

namespace convoy::cli {

int under_mpi(const Context& context, const std::function<int(Communicator&)>& work) {
  int argc = context.argc;
  char** argv = context.argv;
  MpiSession session(argc, argv);
  std::optional<Error> failure;
  try {
    return work(session.world());
  } catch (const Error& error) {
    failure = error;
  } catch (const std::bad_alloc&) {
    failure = Error(
        "out of memory: `convoy plan` shows what a job needs; use fewer images per worker or more nodes");
  } catch (const std::exception& error) {
    failure = Error(error.what());
  }
  session.abort_job(failure->code(), failure->what());
}

}  // namespace convoy::cli
