// Catch under MPI: every rank runs every case, the verdict is that of all ranks together. A case that does
// not move for three minutes is named with its rank, and the job ends.
//   test_train run DIR [STEP]   trains into DIR, resuming what is there; rank 0 dies of SIGKILL after STEP and before its
//                               checkpoint. Prints the digest. tests/train/run.sh makes chains of it.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <csignal>

#include "../support/watchdog.h"
#include "base/error.h"
#include "train/run_record.h"
#include "world.h"

namespace {

using namespace convoy;
MpiCommunicator* the_world = nullptr;

struct Killer final : Record {
  Record& inner;
  int64_t at;
  Killer(Record& record, int64_t step) : inner(record), at(step) {}
  Carried start(int64_t step, const FinalRecord& known) override { return inner.start(step, known); }
  void step(const StepRecord& record) override {
    inner.step(record);
    if (record.step == at) std::raise(SIGKILL);
  }
  void evaluation(const EvaluationRecord& record) override { inner.evaluation(record); }
  void checkpoint(int64_t step, double seconds) override { inner.checkpoint(step, seconds); }
  void finish(const FinalRecord& record) override { inner.finish(record); }
};

int run_into(const std::string& folder, int64_t dies_after) {
  testing::Run run;
  const bool resume = std::filesystem::exists(folder + "/checkpoints");
  the_world->barrier();
  const RunDirectory directory = open_run_directory(folder, resume, run.experiment, *the_world);
  run.checkpoints = {.directory = directory.checkpoints(), .every_steps = 1, .resume = resume};
  std::unique_ptr<Record> record = std::make_unique<Record>(), killer;
  if (the_world->rank() == 0) {
    describe_run(directory, run.experiment, {"test_train"});
    record = std::make_unique<RunRecord>(RunFacts{directory,
                                                  run.experiment,
                                                  testing::tiny_facts(true),
                                                  testing::tiny_facts(false),
                                                  place(8, the_world->size(), run.placement),
                                                  {"test_train"},
                                                  the_world->library()},
                                         Log(), Progress(Progress::Style::none, Log()));
  }
  killer = std::make_unique<Killer>(*record, the_world->rank() == 0 ? dies_after : -1);
  run.record = killer.get();
  const Outcome outcome = testing::train_on(*the_world, run);
  if (the_world->rank() == 0) fmt::print("digest {}\n", outcome.digest);
  return static_cast<int>(outcome.exit);
}

}  // namespace

convoy::MpiCommunicator& convoy::testing::world() { return *the_world; }

int main(int argc, char** argv) {
  MpiSession session(argc, argv);
  the_world = &session.world();
  try {
    if (argc > 2 && std::string(argv[1]) == "run")
      return run_into(argv[2], argc > 3 ? std::stoll(argv[3]) : -1);
    Catch::Session catch_session;
    if (const int wrong = catch_session.applyCommandLine(argc, argv); wrong != 0) return wrong;
    if (the_world->rank() != 0) catch_session.configData().outputFilename = "/dev/null";
    const testing::Watchdog watchdog(the_world->rank(), std::chrono::minutes(3));
    int64_t failed = catch_session.run();
    testing::Watchdog::beat("the verdict of all ranks");
    if (failed > 0 && the_world->rank() != 0)
      fmt::print(stderr, "rank {}: {} failures\n", the_world->rank(), failed);
    the_world->sum(std::span(&failed, 1));
    return failed == 0 ? 0 : 1;
  } catch (const Error& error) {
    session.abort_job(error.code(), error.what());
  }
}
