// Catch under MPI: every rank runs every case; rank 0 reports, the others only when an assertion fails; the verdict is
// that of all ranks together. A case that does not move for a minute is named with its rank, and the job aborted.
//   test_mpi fail-alone R | fail-together | hold   are the failure paths that run.sh drives.
#define CATCH_CONFIG_RUNNER
#include <mpi.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <mutex>
#include <thread>

#include "comm/mpi.h"
#include "world.h"

namespace {

using namespace convoy;
using Clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(60);

MpiCommunicator* the_world = nullptr;

// Written by the listener, read by the watchdog.
struct Pulse {
  std::mutex mutex;
  std::string what = "start";
  Clock::time_point last = Clock::now();
  void beat(const std::string& now) {
    const std::lock_guard lock(mutex);
    what = now, last = Clock::now();
  }
};
Pulse& pulse() {
  static Pulse one;
  return one;
}

struct Listener : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    TestEventListenerBase::testCaseStarting(info);
    pulse().beat(info.name);
  }

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

class Watchdog {
 public:
  explicit Watchdog(int rank) : thread_([this, rank] { watch(rank); }) {}
  ~Watchdog() {
    done_ = true;
    thread_.join();
  }

 private:
  void watch(int rank) {
    while (!done_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      const std::lock_guard lock(pulse().mutex);
      if (Clock::now() - pulse().last < patience) continue;
      fmt::print(stderr, "rank {} hangs in the case \"{}\"\n", rank, pulse().what);
      MPI_Abort(MPI_COMM_WORLD, 3);
    }
  }
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

// What src/cli does with an error, for run.sh to look at.
int fail_on_purpose(MpiSession& session, const std::string& mode, int failing) {
  MpiCommunicator& ranks = session.world();
  try {
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
    const Watchdog watchdog(the_world->rank());
    int64_t failed = catch_session.run();
    pulse().beat("the verdict of all ranks");
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
