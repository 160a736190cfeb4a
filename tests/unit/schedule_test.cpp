#include "train/schedule.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace convoy {
namespace {

constexpr int64_t imagenet = 1281167;

Experiment experiment(int workers, int images, double epochs) {
  Experiment e;
  e.minibatch = {workers, images};
  e.train.epochs = epochs;
  return e;
}

}  // namespace

TEST_CASE("step counts are the papers'") {
  CHECK(Schedule(experiment(8, 32, 90), imagenet).steps() == 450410);
  CHECK(Schedule(experiment(256, 32, 90), imagenet).steps() == 14075);
  CHECK(Schedule(experiment(1024, 32, 90), imagenet).steps() == 3519);
  Experiment e = experiment(64, 512, 0);
  e.train.steps = 4000;
  CHECK(Schedule(e, imagenet).steps() == 4000);
  CHECK(Schedule(experiment(1, 100, 0.001), 100).steps() == 1);
}

TEST_CASE("an epoch ends in the step in which a multiple of the set's size is reached") {
  Experiment e =
      experiment(2, 3, 3);  // steps of 6 over 10 images: 30/6 = 5 steps, epochs end at 10, 20 and 30
  const Schedule schedule(e, 10);
  REQUIRE(schedule.steps() == 5);
  std::vector<int64_t> ends, epochs;
  for (int64_t step = 0; step < 5; ++step) {
    if (schedule.completes(step, 1)) ends.push_back(step);
    epochs.push_back(schedule.epoch_of(step));
  }
  CHECK(ends == std::vector<int64_t>{1, 3, 4});
  CHECK(epochs == std::vector<int64_t>{0, 0, 1, 1, 2});
  CHECK(schedule.epochs_after(4) == 3.0);
  e.train.evaluate_every = 2;
  const Schedule thinned(e, 10);
  CHECK_FALSE(thinned.evaluates(1));
  CHECK(thinned.evaluates(3));
  CHECK(thinned.evaluates(4));  // the last step, always
  e.train.evaluate_every = 0;
  CHECK_FALSE(Schedule(e, 10).evaluates(3));
  CHECK(Schedule(e, 10).evaluates(4));
  CHECK(Schedule(experiment(1, 25, 5), 10).completes(0, 1));  // two and a half epochs in one step
}

TEST_CASE("no warm-up where the rate would not rise: Goyal et al. warm up above 256 images only") {
  Experiment e = experiment(4, 32, 90);  // 0.05
  e.schedule.per_images = 256;
  e.schedule.warmup_epochs = 5;
  e.schedule.warmup_from = 0.1;
  CHECK(Schedule(e, imagenet).warmup_steps() == 0);
  CHECK(Schedule(e, imagenet).rate(0) == 0.05);
  e.schedule.warmup = "constant";
  CHECK(Schedule(e, imagenet).rate(0) == 0.1);
  e.schedule.warmup = "linear";
  e.minibatch.workers = 16;
  CHECK(Schedule(e, imagenet).warmup_steps() > 0);
}

TEST_CASE("Goyal's schedule: linear scaling, gradual warm-up per step, drops at 30, 60 and 80") {
  Experiment e = experiment(256, 32, 90);
  e.schedule.rate = 0.1;
  e.schedule.per_images = 256;
  e.schedule.warmup_epochs = 5;
  e.schedule.warmup_from = 0.1;
  const Schedule schedule(e, imagenet);
  CHECK(schedule.peak() == Approx(3.2).epsilon(1e-15));
  CHECK(schedule.warmup_steps() == 782);
  CHECK(schedule.rate(0) == 0.1);
  CHECK(schedule.rate(391) == Approx(0.1 + 3.1 / 2).epsilon(1e-14));
  CHECK(schedule.rate(2) - schedule.rate(1) == Approx(3.1 / 782).epsilon(1e-9));  // a constant per step
  CHECK(schedule.rate(782) == Approx(3.2));
  const int64_t drop = (30 * imagenet + 8191) / 8192;  // the first step that starts at or after epoch 30
  CHECK(schedule.rate(drop - 1) == Approx(3.2));
  CHECK(schedule.rate(drop) == Approx(0.32));
  CHECK(schedule.rate(14074) == Approx(0.0032));
}

TEST_CASE("polynomial decay: nvcaffe's goes on from the current step, MLPerf's starts anew after warm-up") {
  Experiment e = experiment(64, 512, 0);
  e.train.steps = 4000;
  e.schedule.kind = "poly";
  e.schedule.rate = 32;
  e.schedule.warmup_steps = 400;
  e.schedule.warmup_from = 1;
  e.schedule.decay = "continued";
  const Schedule caffe(e, imagenet);
  CHECK(caffe.rate(399) == Approx(1 + 31 * 399.0 / 400));
  CHECK(caffe.rate(400) == Approx(32 * 0.9 * 0.9));  // the small drop
  CHECK(caffe.rate(2000) == Approx(8.0));
  e.schedule.decay = "shifted";
  e.schedule.end_rate = 1e-4;
  const Schedule mlperf(e, imagenet);
  CHECK(mlperf.rate(400) == Approx(32.0));
  CHECK(mlperf.rate(2200) == Approx(1e-4 + (32 - 1e-4) * 0.25));
}

TEST_CASE("cosine and constant rates; a warm-up as long as the training is refused") {
  Experiment e = experiment(1, 10, 10);
  e.schedule.kind = "cosine";
  e.schedule.rate = 1.0;
  const Schedule cosine(e, 100);
  CHECK(cosine.rate(0) == 1.0);
  CHECK(cosine.rate(50) == Approx(0.5));
  CHECK(cosine.rate(75) == Approx(0.14644660940672627));
  e.schedule.kind = "constant";
  CHECK(Schedule(e, 100).rate(99) == 1.0);
  e.schedule.warmup_epochs = 10;
  CHECK_THROWS_WITH(Schedule(e, 100), Catch::Contains("warm-up of 100 steps leaves none of the 100"));
}

TEST_CASE("warm-up shapes: gradual, constant as in Goyal's table 1, quadratic as in nvcaffe 0.16 and 0.17") {
  Experiment e = experiment(256, 32, 90);
  e.schedule.rate = 0.1;
  e.schedule.per_images = 256;
  e.schedule.warmup_epochs = 5;
  e.schedule.warmup_from = 0.1;
  e.schedule.warmup = "constant";
  const Schedule constant(e, imagenet);
  for (const int64_t step : {0, 1, 391, 781}) CHECK(constant.rate(step) == 0.1);
  CHECK(constant.rate(782) == Approx(3.2));
  e = experiment(64, 512, 0);
  e.train.steps = 4000;
  e.schedule.kind = "poly";
  e.schedule.decay = "continued";
  e.schedule.rate = 32;
  e.schedule.warmup_steps = 400;
  e.schedule.warmup_from = 1;
  e.schedule.warmup = "quadratic";
  const Schedule quadratic(e, imagenet);
  CHECK(quadratic.rate(0) == 1);
  CHECK(quadratic.rate(200) == Approx(1 + 31 * 0.25));
  CHECK(quadratic.rate(399) == Approx(1 + 31 * (399.0 / 400) * (399.0 / 400)));
  CHECK(quadratic.rate(400) == Approx(32 * 0.81));
}

TEST_CASE("You's AlexNet-BN: linear from 1 over 400 iterations, then poly from the current one") {
  Experiment e = experiment(1024, 32, 0);
  e.train.steps = 4000;
  e.schedule.kind = "poly";
  e.schedule.decay = "continued";
  e.schedule.rate = 32;
  e.schedule.warmup_steps = 400;
  e.schedule.warmup_from = 1;
  const Schedule you(e, imagenet);
  CHECK(you.rate(0) == 1);
  CHECK(you.rate(100) == Approx(1 + 31 * 0.25));
  CHECK(you.rate(399) == Approx(31.9225));
  CHECK(you.rate(400) == Approx(25.92));
  CHECK(you.rate(3999) == Approx(32.0 / 4000 / 4000));
}

TEST_CASE("Akiba's slow start: multiples of the scaled rate, from the start and from each milestone") {
  Experiment e = experiment(1024, 32, 90);
  e.schedule.rate = 0.1;
  e.schedule.per_images = 256;
  e.schedule.milestones = {40, 70, 85};
  e.schedule.factors = {0.5, 0.075, 0.01, 0.001};
  const Schedule akiba(e, imagenet);
  CHECK(akiba.peak() == Approx(12.8));
  const auto first = [](int epoch) { return (epoch * imagenet + 32767) / 32768; };
  CHECK(akiba.rate(0) == Approx(6.4));
  CHECK(akiba.rate(first(40) - 1) == Approx(6.4));
  CHECK(akiba.rate(first(40)) == Approx(0.96));
  CHECK(akiba.rate(first(70)) == Approx(0.128));
  CHECK(akiba.rate(first(85)) == Approx(0.0128));
  CHECK(akiba.rate(3518) == Approx(0.0128));
  e.schedule.warmup_steps = 100;  // a warm-up ends where the schedule begins
  CHECK(Schedule(e, imagenet).rate(50) == Approx(3.2));
  e.schedule.factors = {0.5, 0.075};
  CHECK_THROWS_WITH(Schedule(e, imagenet), Catch::Contains("2 numbers for 3 milestones"));
}

TEST_CASE("a step's rates: its own, the one before, its epoch, and whether it warms up") {
  Experiment e = experiment(2, 3, 0);
  e.train.steps = 20;
  e.schedule.kind = "constant";
  e.schedule.rate = 1;
  e.schedule.warmup_steps = 2;
  const Schedule schedule(e, 12);
  CHECK(schedule.at(0).previous_rate == 0.0);
  CHECK(schedule.at(1).rate == 0.5);
  CHECK(schedule.at(1).warmup);
  CHECK(schedule.at(2).previous_rate == 0.5);
  CHECK_FALSE(schedule.at(2).warmup);
  CHECK(schedule.at(3).epoch == 1.5);
}

}  // namespace convoy
