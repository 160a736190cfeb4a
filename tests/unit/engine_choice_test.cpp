// Which engine an operation gets: the choice by a stand-in for the clock, and its way through the cache on disk.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <vector>

#include "../support/temporary_folder.h"
#include "backends/cudnn/engine_choice.h"
#include "base/error.h"

namespace convoy::cudnn {
namespace {

namespace fs = std::filesystem;

class NamedPlan final : public LibraryPlan {
 public:
  explicit NamedPlan(std::string name) : name_(std::move(name)) {}
  std::string engine() const override { return name_; }
  size_t workspace_bytes() const override { return 0; }
  std::vector<float> constants() const override { return {}; }
  std::string serialize() const override { return "text of " + name_; }
  void execute(void*, const DeviceMemory&) override {}

 private:
  std::string name_;
};

// A process with a cuDNN of so many engines: "0", "1", ... in the heuristics' order.
struct Process {
  Process(const fs::path& folder, std::map<std::string, double> milliseconds,
          const std::string& device = "cuDNN 9.19.0")
      : cache(folder, device), times(std::move(milliseconds)) {}

  std::string engine_of(const std::string& operation, int tried = 4) {
    const PlanMaker maker{.build =
                              [&](const Timer& timer, int first) {
                                ++built;
                                Choice choice(timer, first);
                                for (int e = 0; e < 8; ++e)
                                  if (choice.offer(std::make_unique<NamedPlan>(std::to_string(e)))) break;
                                if (meanwhile) meanwhile();
                                return choice.take();
                              },
                          .restore =
                              [&](const std::string& text) {
                                return refuses || !text.starts_with("text of ")
                                           ? nullptr
                                           : std::make_unique<NamedPlan>(text.substr(8));
                              },
                          .timer =
                              [&](LibraryPlan& plan) {
                                ++timed;
                                const auto time = times.find(plan.engine());
                                require(time != times.end(), "engine {} does not run", plan.engine());
                                return time->second;
                              }};
    return choose_plan(operation, tried, maker, cache, chosen)->engine();
  }

  PlanCache cache;
  ChosenEngines chosen;
  std::map<std::string, double> times;
  std::function<void()> meanwhile;
  bool refuses = false;
  int built = 0, timed = 0;
};

const std::map<std::string, double> two_is_fastest = {{"0", 3}, {"1", 2}, {"2", 1}, {"3", 4}, {"4", 0.1}};
const std::map<std::string, double> one_is_fastest = {{"0", 3}, {"1", 1}, {"2", 2}, {"3", 4}};

}  // namespace

TEST_CASE("engines: the first without a clock, with one the fastest of so many that run") {
  const testing::TemporaryFolder place;
  CHECK(Process(place.path() / "a", two_is_fastest).engine_of("conv", 1) == "0");
  CHECK(Process(place.path() / "b", two_is_fastest).engine_of("conv", 4) == "2");
  CHECK(Process(place.path() / "c", two_is_fastest).engine_of("conv", 2) == "1");
  CHECK(Process(place.path() / "d", {{"0", 1}, {"1", 0.99}, {"2", 1.1}, {"3", 1.1}}).engine_of("conv") ==
        "0");
  CHECK(Process(place.path() / "e", {{"3", 2}, {"5", 1}}).engine_of("conv") == "3");
  CHECK(Process(place.path() / "f", {{"6", 2}}).engine_of("conv") == "6");  // none of the first four runs
}

TEST_CASE("engines: a choice is made once for all who read the folder") {
  const testing::TemporaryFolder place;
  Process first(place.path(), two_is_fastest), later(place.path(), one_is_fastest);
  CHECK(first.engine_of("conv") == "2");
  CHECK(first.timed == 4);
  CHECK(later.engine_of("conv") == "2");
  CHECK((later.built == 0 && later.timed == 0));
  CHECK(later.chosen.digest() == first.chosen.digest());
  CHECK(later.engine_of("another") == "1");
  CHECK(later.chosen.digest() != first.chosen.digest());
  CHECK(first.engine_of("conv", 1) == "0");  // what nothing was timed for is another plan

  Process elsewhere(place.path() / "its own", one_is_fastest);
  CHECK(elsewhere.engine_of("conv") == "1");
  CHECK(elsewhere.chosen.digest() != first.chosen.digest());
  Process untimed(place.path(), {});
  CHECK(untimed.engine_of("conv", 1) == "0");
  CHECK(untimed.chosen.digest().empty());
}

TEST_CASE("engines: of processes that choose at the same time, the first to keep its choice decides") {
  const testing::TemporaryFolder place;
  Process first(place.path(), one_is_fastest), second(place.path(), two_is_fastest);
  second.meanwhile = [&] { CHECK(first.engine_of("conv") == "1"); };
  CHECK(second.engine_of("conv") == "1");
  CHECK((first.built == 1 && second.built == 1));
  CHECK(first.chosen.digest() == second.chosen.digest());
}

TEST_CASE("engines: another cuDNN, a damaged file and a plan that is refused are chosen for anew") {
  const testing::TemporaryFolder place;
  CHECK(Process(place.path(), two_is_fastest).engine_of("conv") == "2");
  CHECK(Process(place.path(), one_is_fastest, "cuDNN 9.20.0").engine_of("conv") == "1");
  CHECK(Process(place.path(), one_is_fastest).engine_of("conv") == "2");

  int files = 0;
  for (const auto& file : fs::directory_iterator(place.path())) {
    ++files;
    const auto size = fs::file_size(file.path());
    std::fstream(file.path(), std::ios::in | std::ios::out)
        .seekp(static_cast<std::streamoff>(size - 1))
        .put('7');
  }
  CHECK(files == 2);  // and nothing temporary
  Process after(place.path(), one_is_fastest);
  CHECK(after.engine_of("conv") == "1");
  CHECK(after.built == 1);
  CHECK(Process(place.path(), two_is_fastest).engine_of("conv") == "1");  // the damaged one was replaced

  Process refusing(place.path(), two_is_fastest);
  refusing.refuses = true;
  CHECK(refusing.engine_of("conv") == "2");
  CHECK(Process(place.path(), one_is_fastest).engine_of("conv") == "2");
}

TEST_CASE("engines: how many are timed is a number or a sentence") {
  const auto with = [](const char* text) {
    ::setenv("CONVOY_TIME_ENGINES", text, 1);
    return engines_to_time();
  };
  CHECK((with("") == 1 && with("1") == 1 && with("4") == 4 && with("16") == 16));
  for (const char* wrong : {"0", "17", "-2", "four", "4 "})
    CHECK_THROWS_WITH(with(wrong),
                      Catch::Contains("CONVOY_TIME_ENGINES=") && Catch::Contains("give 2 ... 16"));
  ::unsetenv("CONVOY_TIME_ENGINES");
  CHECK(engines_to_time() == 1);
}

}  // namespace convoy::cudnn
