// Catch under MPI: every rank runs every case; rank 0 reports, the others only when an assertion fails; the verdict is
// that of all ranks together. A case that does not move for a minute is named with its rank, and the job aborted.
//   test_mpi fail-alone R | fail-together | fail-hang R | fail-stopped R   are the failure paths that run.sh drives.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>

#include "../support/watchdog.h"
#include "comm/mpi.h"
#include "world.h"

namespace {

using namespace convoy;
MpiCommunicator* the_world = nullptr;

struct Listener : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  bool assertionEnded(const Catch::AssertionStats& stats) override {
    const auto& result = stats.assertionResult;
    if (!result.isOk() && the_world->rank() != 0)
      fmt::print(stderr, "rank {}: {}:{}: {} ({}) {}\n", the_world->rank(), result.getSourceInfo().file,
                 result.getSourceInfo().line, result.getExpressionInMacro(), result.getExpandedExpression(),
                 std::string(result.getMessage()));
    return true;
  }
};
CATCH_REGISTER_LISTENER(Listener)

// What src/cli does with an error, for run.sh to look at.
int fail_on_purpose(MpiSession& session, const std::string& mode, int failing) {
  MpiCommunicator& ranks = session.world();
  if (mode == "fail-hang") {
    const testing::Watchdog watchdog(ranks.rank(), std::chrono::milliseconds(500));
    testing::Watchdog::beat("a planted hang");
    if (ranks.rank() != failing) ranks.barrier();  // never completed
    std::this_thread::sleep_for(std::chrono::minutes(5));
  }
  try {
    if (mode == "fail-stopped") {
      ranks.limit_waits(std::chrono::seconds(2));
      if (ranks.rank() == failing) std::raise(SIGSTOP);
      for (int i = 0; i < 2; ++i) ranks.barrier();  // never completed
    }
    if (mode == "fail-together") throw Error("every rank met the same mistake", Exit::usage);
    require(ranks.rank() != failing, Exit::temporary, "the cause on one rank");
    ranks.barrier();  // never completed by the rank that failed
  } catch (const Error& error) {
    session.abort_job(error.code(), error.what());
  }
  return 0;
}

}  // namespace

convoy::MpiCommunicator& convoy::testing::world() { return *the_world; }

int main(int argc, char** argv) {
  try {
    MpiSession session(argc, argv);
    const std::string mode = argc > 1 ? argv[1] : "";
    if (mode.starts_with("fail-")) return fail_on_purpose(session, mode, argc > 2 ? std::stoi(argv[2]) : -1);
    the_world = &session.world();
    Catch::Session catch_session;
    if (const int wrong = catch_session.applyCommandLine(argc, argv); wrong != 0) return wrong;
    if (the_world->rank() != 0) catch_session.configData().outputFilename = "/dev/null";
    const testing::Watchdog watchdog(the_world->rank(), std::chrono::minutes(1));
    int64_t failed = catch_session.run();
    testing::Watchdog::beat("the verdict of all ranks");
    the_world->sum(std::span(&failed, 1));
    if (the_world->rank() == 0)
      fmt::print("{} ranks of {}: {}\n", the_world->size(), the_world->library(),
                 failed == 0 ? "all passed" : fmt::format("{} failures over all ranks", failed));
    return failed == 0 ? 0 : 1;
  } catch (const Error& error) {
    fmt::print(stderr, "convoy: {}\n", error.what());
    return static_cast<int>(error.code());
  }
}
