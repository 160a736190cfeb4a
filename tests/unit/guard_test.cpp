#include "train/guard.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

#include "base/duration.h"
#include "base/error.h"
#include "train/deadline.h"

namespace convoy {

TEST_CASE(
    "a gradient's norm is an outlier above twenty times the median of enough others, and no history itself") {
  Guard guard(false, {});
  CHECK_FALSE(guard.outlier(0, 1e6));  // nothing to compare with yet
  for (int step = 1; step < 16; ++step) CHECK_FALSE(guard.outlier(step, 1.0 + 0.1 * (step % 3)));
  CHECK_FALSE(guard.outlier(16, 20.0));
  CHECK(guard.outlier(17, 30.0));
  for (int step = 18; step < 100; ++step) CHECK(guard.outlier(step, 30.0));  // a run of them is none the less
  CHECK(guard.outliers() == 83);
  CHECK_FALSE(guard.outlier(100, 1.0));
}

TEST_CASE("a history forgets what is older than its length") {
  Guard guard(false, {});
  for (int step = 0; step < 64; ++step) guard.outlier(step, 1.0);
  for (int step = 0; step < 64; ++step) CHECK_FALSE(guard.outlier(step, 10.0));
  CHECK_FALSE(guard.outlier(200, 150.0));
}

TEST_CASE("steps are left out where that is wanted, but not more than eight in a row") {
  Guard stops(false, {});
  CHECK_FALSE(stops.skip(0, "NaN"));
  Guard skips(true, {});
  for (int round = 0; round < 3; ++round) {
    for (int step = 0; step < 8; ++step) CHECK(skips.skip(step, "NaN"));
    CHECK_FALSE(skips.outlier(9, 1.0));
  }
  CHECK(skips.skipped() == 24);
  for (int step = 0; step < 8; ++step) CHECK(skips.skip(step, "NaN"));
  CHECK_FALSE(skips.skip(8, "NaN"));
}

TEST_CASE("time limits are read as schedulers write them") {
  using std::chrono::seconds;
  CHECK(parse_duration("90") == seconds(90));
  CHECK(parse_duration("30:00") == seconds(1800));
  CHECK(parse_duration("11:30:05") == seconds(41405));
  CHECK(parse_duration("2-01:00:00") == seconds(176400));
  for (const char* wrong : {"", "1h", "-5", "1:2:3:4", "1.5", "99999999999999999999"})
    CHECK_THROWS_WITH(parse_duration(wrong), Catch::Contains("write seconds, MM:SS"));
}

TEST_CASE("a deadline is near when what has to be done before it would hardly fit") {
  CHECK_FALSE(Deadline().near(1e9));
  const Deadline soon(Deadline::Clock::now() + std::chrono::seconds(100));
  CHECK(soon.near(50));
  CHECK_FALSE(soon.near(20));
  CHECK(Deadline(Deadline::Clock::now()).near(0));
}

TEST_CASE("a deadline is the earlier of a given one and the scheduler's; one beyond years is none") {
  const auto scheduled = [](const std::string& seconds, const std::string& given = "") {
    ::setenv("SLURM_JOB_END_TIME", seconds.c_str(), 1);
    const Deadline found = deadline_of(given);
    ::unsetenv("SLURM_JOB_END_TIME");
    return found;
  };
  const auto in = [](int64_t seconds) { return std::to_string(::time(nullptr) + seconds); };
  CHECK_FALSE(deadline_of("").set());
  const double hour = scheduled(in(3600)).seconds_left();
  CHECK(hour > 3500);
  CHECK(hour <= 3600);
  CHECK(scheduled(in(3600), "10:00").seconds_left() <= 600);
  CHECK(scheduled(in(60), "10:00").seconds_left() <= 60);
  CHECK(scheduled(in(-60)).near(0));
  for (const char* none : {"", "0", "-1", "soon", "4294967294", "1000000000000", "9223372036854775807",
                           "18446744073709551614"}) {
    CHECK_FALSE(scheduled(none).set());
    CHECK(scheduled(none, "10:00").set());
  }
}

}  // namespace convoy
