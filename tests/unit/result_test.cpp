#include "train/result.h"

#include <unistd.h>
#include <catch2/catch.hpp>

#include <cmath>
#include <fstream>
#include <set>

#include "../support/temporary_folder.h"
#include "base/error.h"
#include "base/file.h"
#include "train/curve.h"
#include "train/run_directory.h"
#include "train/run_record.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

using Folder = testing::TemporaryFolder;

Experiment experiment() {
  Experiment e;
  e.name = "tiny";
  e.minibatch = {2, 5};
  e.train.epochs = 2;
  return e;
}

const DatasetFacts train_set{"train", "ft", 20, 4}, held_out_set{"held-out", "fh", 10, 4};

StepRecord step(int64_t number, double seconds, double loss = 1.0) {
  StepRecord record;
  record.step = number;
  record.totals = {
      .images = 10, .correct1 = 4, .correct5 = 9, .loss = static_cast<int64_t>(10 * loss / Totals::unit)};
  record.rate = 0.1;
  record.times.total = seconds;
  record.warmup = number == 0;
  return record;
}

EvaluationRecord evaluation(int64_t number, const std::string& digest, int64_t correct = 7) {
  EvaluationRecord record;
  record.step = number;
  record.epochs = 1;
  record.train = {.images = 20, .correct1 = 8, .correct5 = 18, .loss = 20 << 24};
  record.held_out = {.images = 10, .correct1 = correct, .correct5 = 9, .loss = 10 << 23};
  record.train_seconds = 2;
  record.digest = digest;
  return record;
}

FinalRecord final_record() {
  FinalRecord record;
  record.steps = 4;
  record.digest = "d2";
  record.claim = "repeatable";
  record.flops_per_image = 1000;
  record.ranks.resize(1);
  record.ranks[0].device = {"reference", "none", "scalar", "a CPU", 2};
  return record;
}

Json result_of(double seconds = 0.5, const std::string& digest = "d2", int64_t correct = 7,
               Experiment e = experiment()) {
  Result result(e, train_set, held_out_set, place(2, 1, {.backends = {"reference"}}), "run",
                {"convoy", "train"}, "none");
  for (int64_t s = 0; s < 4; ++s) result.step(step(s, s == 0 ? 9.0 : seconds));
  result.evaluation(evaluation(1, "d1"));
  result.evaluation(evaluation(3, digest, correct));
  FinalRecord record = final_record();
  record.digest = digest;
  result.finish(record);
  return result.json();
}

std::string drawn(const std::string& title, const std::vector<Json>& metrics) {
  Curve curve(title, 20);
  for (const Json& line : metrics) curve.add(line);
  return curve.svg();
}

Json read_result(const fs::path& folder) { return Json::parse(read_text(folder / "result.json")); }

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("quantiles by nearest rank") {
  const Json q = quantiles({5, 1, 4, 2, 3});
  CHECK(q["min"] == 1);
  CHECK(q["median"] == 3);
  CHECK(q["p25"] == 2);
  CHECK(q["p95"] == 5);
  CHECK(quantiles({2})["p05"] == 2);
}

TEST_CASE("result.json holds integers, nulls for what is not known, and the first step left out") {
  const Json r = result_of();
  CHECK(r["schema"] == "convoy.result/1");
  CHECK(r["status"] == "completed");
  CHECK(r["epochs"][1]["correct1"] == 7);
  CHECK(r["epochs"][1]["held_out_loss"] == 0.5);
  CHECK(r["epochs"][1]["held_out_top1"] == 0.7);
  CHECK(r["steps"]["seconds"]["max"] == 0.5);
  CHECK(r["steps"]["samples_s"].size() == 3);
  CHECK(r["steps"]["planned"] == 4);
  CHECK(r["efficiency"]["images_per_s"] == 20.0);
  CHECK(r["efficiency"]["flops_per_s"] == 20000.0);
  CHECK(r["numerics"]["weights_xxh3_at"][0]["weights_xxh3"] == "d1");
  CHECK(r["experiment"]["resolved"]["minibatch"]["workers"] == 2);
  CHECK(r["launch"]["per_rank"][0]["backend"] == "reference");
  CHECK(r["memory"]["peak_rss_bytes"].is_null());
  CHECK(r["reason"].is_null());
  CHECK_FALSE(r["tool"]["version"] == "");
}

TEST_CASE("of a long run the result has an even sample of the steps, and their true extremes") {
  Result result(experiment(), train_set, held_out_set, place(2, 1, {.backends = {"reference"}}), "run",
                {"convoy"}, "none");
  for (int64_t s = 0; s <= 20000; ++s)
    result.step(step(s, s == 4321 ? 0.001 : s == 9999 ? 9.0 : 0.5 + 1e-6 * s));
  const Json steps = result.json()["steps"];
  CHECK(steps["seconds"]["min"] == 0.001);
  CHECK(steps["seconds"]["max"] == 9.0);
  CHECK(steps["seconds"]["median"].get<double>() == Approx(0.51).margin(1e-5));
  const int64_t stride = steps["samples_stride"];
  CHECK(stride == 8);
  REQUIRE(steps["samples_s"].size() == 2500);  // of 20,000, without the first
  for (const size_t i : {0, 1, 2, 1000, 2499})
    CHECK(steps["samples_s"][i].get<double>() ==
          Approx(0.5 + 1e-6 * (1.0 + static_cast<double>(stride) * i)));
}

TEST_CASE(
    "metrics are cut back on resume, so that no step is there twice, and torn and damaged lines are dropped") {
  const Folder folder;
  const RunDirectory run{folder.path()};
  const RunFacts facts{run, experiment(), train_set, held_out_set, place(2, 1, {}), {"convoy"}, "none"};
  {
    RunRecord record(facts, Log(), Progress(Progress::Style::none, Log()));
    record.start(0, final_record());
    for (int64_t s = 0; s < 3; ++s) {
      record.step(step(s, 0.5));
      if (s == 1) record.evaluation(evaluation(1, "d1"));
    }
    record.checkpoint(2, 0.1);
  }
  std::ofstream(run.metrics(), std::ios::app)
      << R"({"event":"step","step":0,"imagds":10,"correct1":1,"loss_sum":5,"nonfinite":0})"
         "\n"
      << R"({"event":"step","step":0,"images":1e300,"correct1":1,"loss_sum":5,"nonfinite":0})"
         "\n"
      << R"({"event":"step","step":1e300})"
         "\n"
      << R"({"event":7,"step":0})"
         "\n"
      << R"({"event": "step", "st)";
  CHECK(lines_of(run.metrics()).size() == 10);
  {
    RunRecord record(facts, Log(), Progress(Progress::Style::none, Log()));
    CHECK(record.start(2, final_record()).train.images == 0);  // an evaluation was the last
    CHECK(lines_of(run.metrics()).size() == 4);
    for (int64_t s = 2; s < 4; ++s) record.step(step(s, 0.5));
    record.evaluation(evaluation(3, "d2"));
    record.finish(final_record());
  }
  std::vector<int64_t> steps;
  for (const Json& line : read_metrics(run.metrics()))
    if (line["event"] == "step") steps.push_back(line["step"]);
  CHECK(steps == std::vector<int64_t>{0, 1, 2, 3});
  const Json result = read_result(folder.path());
  CHECK(result["epochs"].size() == 2);
  CHECK(result["steps"]["resumed_at"] == 2);
  CHECK(fs::exists(run.curve()));
}

TEST_CASE("a resumed run has the seconds and sums of the launches before it") {
  const Folder folder;
  const RunDirectory run{folder.path()};
  const RunFacts facts{run, experiment(), train_set, held_out_set, place(2, 1, {}), {"convoy"}, "none"};
  {
    RunRecord record(facts, Log(), Progress(Progress::Style::none, Log()));
    CHECK(record.start(0, final_record()).train == Totals{});
    for (int64_t s = 0; s < 3; ++s) {
      record.step(step(s, s == 0 ? 9.0 : 0.5));
      if (s == 0) record.evaluation(evaluation(0, "d0"));
    }
    CHECK(fs::exists(run.curve()));  // drawn at every evaluation
  }
  RunRecord record(facts, Log(), Progress(Progress::Style::none, Log()));
  const Carried carried = record.start(3, final_record());
  CHECK(carried.train == Totals{.images = 20, .correct1 = 8, .correct5 = 18, .loss = 20 << 24});
  CHECK(carried.seconds == 1.0);
  StepRecord first = step(3, 7.0);
  first.warmup = true;
  record.step(first);
  FinalRecord last = final_record();
  last.train_seconds = 7.0;
  record.finish(last);
  const Json result = read_result(folder.path());
  CHECK(result["steps"]["warmup_dropped"] == 2);
  CHECK(result["steps"]["samples_s"] == Json{0.5, 0.5});
  CHECK(result["phases_s"]["train"] == 17.0);
}

TEST_CASE("a run that an error ends is failed, with the sentence in result.json") {
  const Folder folder;
  const RunDirectory run{folder.path()};
  const RunFacts facts{run, experiment(), train_set, held_out_set, place(2, 1, {}), {"convoy"}, "none"};
  const Log log(Log::Level::quiet, 0, "", run.log().string());
  RunRecord(facts, log, Progress(Progress::Style::none, Log())).fail(1, "refused before it began");
  CHECK_FALSE(fs::exists(run.result()));
  FinalRecord known = final_record();
  known.status = "running";
  RunRecord record(facts, log, Progress(Progress::Style::none, Log()));
  record.start(0, known);
  record.step(step(0, 0.5));
  CHECK(read_result(folder.path())["status"] == "running");
  const std::string running = read_text(run.result());
  record.fail(75, "the shard is gone");
  Json result = read_result(folder.path());
  CHECK(result["status"] == "failed");
  CHECK(result["exit_code"] == 75);
  CHECK(result["reason"] == "the shard is gone");
  CHECK(result["steps"]["count"] == 1);
  CHECK_FALSE(result["ended"].is_null());
  CHECK(read_text(run.log()).find("the shard is gone") != std::string::npos);
  CHECK(fs::exists(run.curve()));
  mark_failed(run, 1, "another rank");  // told already
  CHECK(read_result(folder.path())["reason"] == "the shard is gone");
  replace_file(run.result(), running);
  mark_failed(run, 1, "another rank");
  result = read_result(folder.path());
  CHECK(result["status"] == "failed");
  CHECK(result["reason"] == "another rank");
}

TEST_CASE("a final result that cannot be written is an error, whatever could not be written before") {
  const Folder folder;
  const RunDirectory run{folder.path()};
  const RunFacts facts{run, experiment(), train_set, held_out_set, place(2, 1, {}), {"convoy"}, "none"};
  fs::create_directories(run.result() / "x");  // a folder in its place
  fs::create_directories(run.curve() / "x");
  RunRecord record(facts, Log(), Progress(Progress::Style::none, Log()));
  record.start(0, final_record());
  record.step(step(0, 0.5));
  record.evaluation(evaluation(0, "d0"));
  try {
    record.finish(final_record());
    FAIL("it must throw");
  } catch (const Error& error) {
    CHECK(error.code() == Exit::temporary);
    CHECK(std::string(error.what()).find("is not the final result") != std::string::npos);
  }
  for (const auto& entry : fs::directory_iterator(folder.path()))
    CHECK(entry.path().filename().string().find(".tmp") == std::string::npos);
}

TEST_CASE("a loss that is not finite is null in the metrics, never 0") {
  CHECK(std::isnan(Totals{}.mean_loss()));
  StepRecord bad = step(0, 0.5);
  bad.totals.nonfinite = 10;
  bad.totals.loss = 0;
  CHECK(to_json(bad, 10)["loss"].is_null());
  EvaluationRecord record = evaluation(1, "d1");
  CHECK(to_json(record)["nonfinite"] == 0);
  record.held_out.nonfinite = 1;
  CHECK(to_json(record)["nonfinite"] == 1);
  CHECK(to_json(record)["held_out_loss"].is_null());
  CHECK(to_json(record)["train_loss"] == 1.0);
}

TEST_CASE("range errors of a 16-bit wire stand in every step's line and in the result, resumed or not") {
  CHECK(
      result_of()["allreduce"] ==
      Json({{"wire", "f32"}, {"bytes_per_step", nullptr}, {"overflows", nullptr}, {"underflows", nullptr}}));
  const Folder folder;
  const RunDirectory run{folder.path()};
  Experiment half = experiment();
  half.allreduce.wire = "fp16";
  const RunFacts facts{run, half, train_set, held_out_set, place(2, 1, {}), {"convoy"}, "none"};
  FinalRecord known = final_record();
  known.allreduce_bytes = 2000;
  for (const int64_t first : {0, 1}) {
    RunRecord record(facts, Log(), Progress(Progress::Style::none, Log()));
    record.start(first, known);
    for (int64_t s = first; s < 3; ++s) {
      StepRecord line = step(s, 0.5);
      line.wire = RangeErrors{.overflows = s, .underflows = 10 + s};
      record.step(line);
    }
    record.finish(known);
  }
  const std::vector<Json> lines = read_metrics(run.metrics());
  REQUIRE(lines.size() == 3);
  CHECK(lines[2]["wire_overflows"] == 2);
  CHECK(lines[2]["wire_underflows"] == 12);
  CHECK_FALSE(to_json(step(0, 0.5), 10).contains("wire_overflows"));
  CHECK(read_result(folder.path())["allreduce"] ==
        Json({{"wire", "fp16"}, {"bytes_per_step", 2000}, {"overflows", 3}, {"underflows", 33}}));
}

TEST_CASE("the curve is a whole SVG with both lines, in light and dark") {
  std::vector<Json> metrics;
  for (int64_t s = 0; s < 1000; ++s)
    metrics.push_back(to_json(step(s, 0.1, 2.0 / (1.0 + static_cast<double>(s))), 10));
  metrics.push_back(to_json(evaluation(999, "d")));
  const std::string svg = drawn("a <run> & more", metrics);
  CHECK(svg.find("<svg") == 0);
  CHECK(svg.find("</svg>") != std::string::npos);
  CHECK(svg.find("a &lt;run&gt; &amp; more") != std::string::npos);
  CHECK(svg.find("polyline class=\"left\"") != std::string::npos);
  CHECK(svg.find("best 70.00 %") != std::string::npos);
  CHECK(svg.find("prefers-color-scheme: dark") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(drawn("nothing yet", {}).find("nan") == std::string::npos);
}

TEST_CASE("a run directory is made fresh, refused when it is not empty, and taken up by resume") {
  const Folder folder;
  LocalCommunicator comm;
  const fs::path path = folder.path() / "run";
  RunDirectory run = open_run_directory(path, false, experiment(), comm);
  CHECK(fs::is_directory(run.checkpoints()));
  describe_run(run, experiment(), {"convoy", "train"});
  describe_run(run, experiment(), {"convoy", "train", "--resume"});
  CHECK(Json::parse(read_text(run.environment()))["launches"].size() == 2);
  CHECK_THROWS_WITH(open_run_directory(path, false, experiment(), comm), Catch::Contains("--resume"));
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  CHECK_THROWS_WITH(open_run_directory(path, true, experiment(), comm),  // `run` holds it
                    Catch::Contains(path.string() + " is in use by process") && Catch::Contains(host));
  run.lock.reset();
  CHECK(open_run_directory(path, true, experiment(), comm).root == path);
  fs::create_directories(folder.path() / "empty");
  CHECK(open_run_directory(folder.path() / "empty", false, experiment(), comm).root ==
        folder.path() / "empty");
  CHECK_THROWS_WITH(open_run_directory(folder.path() / "none", true, experiment(), comm),
                    Catch::Contains("no run to resume"));
  CHECK_THROWS_WITH(open_run_directory(folder.path(), true, experiment(), comm),
                    Catch::Contains("no run directory"));
}

TEST_CASE("runs that begin within one second get folders of their own") {
  const Folder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  LocalCommunicator comm;
  std::set<fs::path> names;
  for (int i = 0; i < 4; ++i) names.insert(open_run_directory("", false, experiment(), comm).root);
  fs::current_path(before);
  CHECK(names.size() == 4);
}

TEST_CASE("progress tells epoch, speed and time left") {
  Progress progress(Progress::Style::none, Log());
  progress.start(0, 100, 10, 250);
  progress.step(step(0, 5.0));
  progress.step(step(1, 0.5));
  CHECK(progress.line(step(1, 0.5)) ==
        "epoch 0.08/4  step 2/100  loss 1.0000  rate 0.1  20 images/s  left 49.0 s");
}

}  // namespace convoy
