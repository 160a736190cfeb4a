// Where time goes and what is advised; the bytes of event files; energy counters; steps of a trace; clocks.
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

#include "../support/temporary_folder.h"
#include "base/error.h"
#include "base/file.h"
#include "observe/appender.h"
#include "observe/attribution.h"
#include "observe/clock_offset.h"
#include "observe/crc32c.h"
#include "observe/energy_meter.h"
#include "observe/event_file.h"
#include "observe/observers.h"
#include "observe/rapl.h"
#include "observe/span_store.h"
#include "observe/trace.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using Catch::Contains;

RankTimes rank_of(int rank, double data, double compute, double communication, double optimizer = 0.01,
                  double other = 0.01) {
  const std::vector<StepTimes> steps(
      10, {data + compute + communication + optimizer, data, compute, communication, optimizer, other});
  return sum_up(rank, "node" + std::to_string(rank), steps);
}

struct Folder : testing::TemporaryFolder {
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((path() / name).parent_path());
    std::ofstream(path() / name) << text << "\n";
  }
  void counter(const std::string& zone, const std::string& name, uint64_t energy,
               uint64_t range = 1000000) const {
    put(zone + "/name", name);
    put(zone + "/energy_uj", std::to_string(energy));
    put(zone + "/max_energy_range_uj", std::to_string(range));
  }
};

}  // namespace

TEST_CASE("a rank's steps are summed up: means, and quantiles of its own time") {
  std::vector<StepTimes> steps;
  for (int i = 1; i <= 100; ++i) steps.push_back({.compute = 0.01 * i, .communication = 1.0});
  const RankTimes times = sum_up(3, "node3", steps);
  CHECK(times.steps == 100);
  CHECK(times.p50 == Approx(0.50));
  CHECK(times.p95 == Approx(0.95));
  CHECK(times.mean.compute == Approx(0.505));
  CHECK(times.mean.total == Approx(1.505));
  const RankTimes again = rank_times(to_json(times));
  CHECK((again.p95 == times.p95 && again.host == "node3" && again.mean.compute == times.mean.compute));
  CHECK(sum_up(0, "a", {}).p50 == 0);
}

TEST_CASE("shares add up to one and name what dominates") {
  struct Planted {
    std::vector<RankTimes> ranks;
    std::string advice;  // a piece of it; empty: none
  };
  const std::vector<Planted> all{
      {{rank_of(0, 0, 0.95, 0.02)}, ""},
      {{rank_of(0, 0, 0.4, 0.5), rank_of(1, 0, 0.4, 0.5)}, "communication: 54 %"},
      {{rank_of(0, 0.01, 0.5, 0.4), rank_of(1, 0.01, 0.5, 0.4), rank_of(2, 0.4, 0.5, 0.01)},
       "data: 43 % of the step was waiting for images on rank 2 (node2): more --loader-threads"},
      {{rank_of(0, 0.5, 0.5, 0.01), rank_of(1, 0.5, 0.5, 0.01)}, "data: 49 % of the step"},
      {{rank_of(0, 0, 0.5, 0.4), rank_of(1, 0, 0.89, 0.01), rank_of(2, 0, 0.5, 0.4)},
       "straggler: 42 % of the step the other ranks waited for rank 1 (node1)"},
      {{rank_of(0, 0, 0.5, 0.0, 0.4)}, "optimizer: 44 %"},
      {{rank_of(0, 0, 0.5, 0.0, 0.0, 0.4)}, "other: 44 %"},
  };
  for (const Planted& planted : all) {
    const Attribution a = attribute(planted.ranks);
    CHECK(a.data_wait + a.compute + a.communication + a.imbalance + a.optimizer + a.other == Approx(1.0));
    if (planted.advice.empty())
      CHECK(a.advice.empty());
    else
      CHECK_THAT(a.advice, Contains(planted.advice));
  }
  CHECK(attribute({rank_of(0, 0, 0.5, 0.4), rank_of(1, 0, 0.6, 0.3), rank_of(2, 0, 0.5, 0.4)}).behind ==
        Approx(0.1 / 0.51));
}

TEST_CASE("of many ranks the line of times.jsonl names the slowest") {
  std::vector<RankTimes> ranks;
  for (int i = 0; i < 200; ++i) ranks.push_back(rank_of(i, 0, 0.5 + 0.001 * i, 0.3 - 0.001 * i));
  const auto line = to_json(attribute(ranks), ranks);
  CHECK(line.at("ranks_all") == 200);
  CHECK(line.at("ranks").size() == 64);
  CHECK(line.at("slowest").at("rank") == 199);
  CHECK(line.at("ranks").front().at("rank") == 199);
}

TEST_CASE("CRC-32C's known answers, and an event file's bytes") {
  CHECK(crc32c("123456789") == 0xE3069283u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);  // RFC 3720, B.4
  const std::string record = scalars_record(1.5, 300, {{"a", 2.0}});
  // 9 of wall_time, 3 of step, 2 + 10 of the summary: 2 + (3 of the tag, 5 of the value)
  REQUIRE(record.size() == 12 + 24 + 4);
  CHECK(record.substr(0, 8) == std::string("\x18\0\0\0\0\0\0\0", 8));
  CHECK(record.substr(12 + 9, 3) == "\x10\xac\x02");
  CHECK(record.substr(12 + 12, 12) == std::string("\x2a\x0a\x0a\x08\x0a\x01"
                                                  "a\x15\0\0\0\x40",
                                                  12));
}

TEST_CASE("a file that grows on a full disk holds whole pieces once there is room again") {
  const Folder folder;
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit whole{};
  ::getrlimit(RLIMIT_FSIZE, &whole);
  rlimit small = whole;
  small.rlim_cur = 10;
  Appender file(folder.path() / "f", File::Mode::create, 0.0);
  file.append("first.");
  ::setrlimit(RLIMIT_FSIZE, &small);
  CHECK_THROWS(file.append("second."));  // four of its bytes fit
  ::setrlimit(RLIMIT_FSIZE, &whole);
  CHECK(read_text(folder.path() / "f") == "first.seco");
  file.append("third.");
  CHECK(read_text(folder.path() / "f") == "first.second.third.");
  std::signal(SIGXFSZ, before);
  Appender again(folder.path() / "f", File::Mode::update, 1e9);
  again.append("fourth.");
  CHECK(read_text(folder.path() / "f") == "first.second.third.");
  again.flush();
  CHECK(read_text(folder.path() / "f") == "first.second.third.fourth.");
}

TEST_CASE("RAPL: packages and memory are counted, through a wrap; platform and mmio counters are not") {
  const Folder root;
  root.counter("intel-rapl:0", "package-0", 900000);
  root.counter("intel-rapl:0:0", "core", 5);
  root.counter("intel-rapl:0:1", "dram", 100);
  root.counter("intel-rapl:1", "psys", 7);
  root.counter("intel-rapl-mmio:0", "package-0", 9);
  Rapl rapl(root.path());
  CHECK(*rapl.joules() == 0.0);
  root.counter("intel-rapl:0", "package-0", 100000);  // wrapped: 200,000 uJ
  root.counter("intel-rapl:0:0", "core", 700000);
  root.counter("intel-rapl:0:1", "dram", 50100);
  root.counter("intel-rapl:1", "psys", 999999);
  root.counter("intel-rapl-mmio:0", "package-0", 999999);
  rapl.sample();
  CHECK(*rapl.joules() == Approx(0.25));
  root.counter("intel-rapl:0", "package-0", 90000);  // and once more
  rapl.sample();
  CHECK(*rapl.joules() == Approx(1.24));
  root.put("intel-rapl:0/energy_uj", "");
  rapl.sample();
  CHECK_FALSE(rapl.joules());
  CHECK_THAT(rapl.reason(), Contains("intel-rapl:0"));
}

TEST_CASE("energy that cannot be read is null, with the reason") {
  const Folder root;
  CHECK_FALSE(Rapl(root.path() / "none").joules());
  CHECK_THAT(Rapl(root.path() / "none").reason(), Contains("none"));
  root.put("intel-rapl:0/name", "package-0");
  CHECK_THAT(Rapl(root.path()).reason(), Contains("cannot be read (No such file"));

  LocalCommunicator comm;
  EnergyMeter blind(comm, {root.path(), "libno-such-nvml.so"});
  blind.start();
  const Energy none = blind.stop();
  CHECK_FALSE((none.cpu_joules || none.gpu_joules));
  CHECK_THAT(none.reason, Contains("energy_uj") && Contains("libno-such-nvml.so"));

  root.counter("intel-rapl:0", "package-0", 10);
  EnergyMeter meter(comm, {root.path(), "libno-such-nvml.so"});
  meter.start();
  root.counter("intel-rapl:0", "package-0", 500010);
  const Energy some = meter.stop();
  CHECK(*some.cpu_joules == Approx(0.5));
  CHECK_FALSE(some.gpu_joules);
  CHECK(some.source == "RAPL");
}

TEST_CASE("steps of a trace") {
  CHECK((parse_trace_steps("3:7").from == 3 && parse_trace_steps("3:7").until == 7));
  CHECK((parse_trace_steps(":7").from == 0 && parse_trace_steps("3:").until == INT64_MAX));
  for (const char* wrong : {"", "3", "7:3", "3:3", "a:b", "-1:4", "1:2:3", "1:2x"})
    CHECK_THROWS_AS(parse_trace_steps(wrong), Error);
}

TEST_CASE("a span store keeps the first spans and counts the others") {
  SpanStore store(2);
  store.add({.number = 0});  // not on yet
  store.turn(true);
  for (int i = 1; i <= 5; ++i) store.add({.number = i});
  int64_t dropped = 0;
  const std::vector<Span> spans = store.take(dropped);
  REQUIRE(spans.size() == 2);
  CHECK((spans[0].number == 1 && spans[1].number == 2 && dropped == 3));
}

TEST_CASE("a clock that drifts is put right between two measurements") {
  const std::chrono::steady_clock::time_point zero{};
  const auto at = [&](int seconds) { return zero + std::chrono::seconds(seconds); };
  const SharedClock clock({at(100), 5.0}, {at(200), 7.0});
  CHECK(clock.seconds(at(100), 90.0) == Approx(5.0));
  CHECK(clock.seconds(at(150), 90.0) == Approx(54.0));
  CHECK(clock.seconds(at(200), 90.0) == Approx(103.0));
}

TEST_CASE("an observer that fails warns and does not end the run; the time between steps is `other`") {
  struct Failing final : Record {
    void step(const StepRecord&) override { fail("no room"); }
    using Record::fail;
    static void fail(const char* why) { throw Error(why); }
  };
  struct Notes final : Record {
    std::vector<double>* other;
    void step(const StepRecord& record) override { other->push_back(record.times.other); }
  };
  std::vector<double> other;
  auto run = std::make_unique<Notes>();
  run->other = &other;
  Observers observers(std::move(run), Log());
  observers.add(std::make_unique<Failing>());
  observers.start(0, {});
  ::usleep(20000);
  StepRecord step;
  step.times.total = 0.005;
  observers.step(step);
  step.times.total = 1000.0;  // never below zero
  observers.step(step);
  REQUIRE(other.size() == 2);
  CHECK(other[0] >= 0.0149);
  CHECK(other[1] == 0.0);
}

}  // namespace convoy
