// The job files against what was published: rate, momentum and alpha_SGD at every epoch for which the sources give a
// figure, and the iterations. Marks: V read in the source, D derived from its formula or figures.
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/schedule.h"

namespace convoy {
namespace {

constexpr int64_t imagenet = 1281167;

Experiment job(const std::string& name, const std::vector<std::string>& overrides = {}) {
  return parse_experiment(std::filesystem::path(CONVOY_SOURCE_DIR) / "jobs" / (name + ".toml"), overrides);
}

int64_t first_step_of(double epoch, const Schedule& schedule) {
  return static_cast<int64_t>(
      std::ceil(epoch * static_cast<double>(imagenet) / static_cast<double>(schedule.global())));
}

struct Published {
  const char* job;
  double epoch, rate;
  char mark;
};

// Goyal et al. 2017, sec. 5.1 and fig. 1; Akiba et al. 2017 (slow start: 0.5, 0.075, 0.01, 0.001 of 12.8).
constexpr Published by_epoch[] = {
    {"goyal-256", 0, 0.1, 'V'},       {"goyal-256", 29.9, 0.1, 'V'},    {"goyal-256", 30, 0.01, 'V'},
    {"goyal-256", 60, 0.001, 'V'},    {"goyal-256", 80, 0.0001, 'V'},   {"goyal-1hour", 0, 0.1, 'V'},
    {"goyal-1hour", 2.5, 1.65, 'D'},  {"goyal-1hour", 5, 3.2, 'V'},     {"goyal-1hour", 29.9, 3.2, 'V'},
    {"goyal-1hour", 30, 0.32, 'V'},   {"goyal-1hour", 60, 0.032, 'V'},  {"goyal-1hour", 80, 0.0032, 'V'},
    {"akiba-15min", 0, 6.4, 'D'},     {"akiba-15min", 39, 6.4, 'D'},    {"akiba-15min", 40, 0.96, 'D'},
    {"akiba-15min", 69, 0.96, 'D'},   {"akiba-15min", 70, 0.128, 'D'},  {"akiba-15min", 84, 0.128, 'D'},
    {"akiba-15min", 85, 0.0128, 'D'}, {"akiba-15min", 89, 0.0128, 'D'},
};

// nvcaffe's poly policy: base_lr (1 - iteration/max_iter)^2 from the current iteration, after rampup_lr + (base_lr -
// rampup_lr) iteration/interval. Iterations instead of epochs.
constexpr Published by_step[] = {
    {"you-alexnet-11min", 0, 1.0, 'V'},       {"you-alexnet-11min", 200, 16.5, 'D'},
    {"you-alexnet-11min", 399, 31.9225, 'D'}, {"you-alexnet-11min", 400, 25.92, 'D'},
    {"you-alexnet-11min", 2000, 8.0, 'D'},    {"you-alexnet-11min", 3600, 0.32, 'D'},
    {"you-alexnet-11min", 3999, 2e-6, 'D'},
};

struct Point {
  int minibatch;
  double rate, momentum, weight_decay;
  int warmup_epochs;
};

// mlcommons/logging, rcps_resnet.json.
constexpr Point points[] = {
    {1632, 7.4, 0.9, 5e-5, 2},
    {3264, 10.5, 0.9, 5e-5, 2},
    {4096, 10, 0.9, 2e-4, 5},
    {8192, 17, 0.9, 2e-4, 5},
    {13056, 12.8, 0.9, 2.5e-5, 9},
    {32768, 21.2, 0.94, 2.5e-5, 16},
    {49152, 19.405, 0.951807, 1e-4, 24},
    {58880, 23.246, 0.951807, 1e-4, 29},
    {65536, 24.699, 0.951807, 1e-4, 31},
    {67840, 24.699, 0.951807, 1e-4, 31},
};

}  // namespace

TEST_CASE("job files: the published rates at every epoch that the sources list") {
  for (const Published& row : by_epoch) {
    INFO(row.job << " at epoch " << row.epoch << " [" << row.mark << "]");
    const Schedule schedule(job(row.job), imagenet);
    const double within = row.epoch == 2.5 ? 0.005 : 1e-9;  // in the warm-up: one step of its rise
    CHECK(schedule.rate(first_step_of(row.epoch, schedule)) == Approx(row.rate).epsilon(within));
  }
  for (const Published& row : by_step) {
    INFO(row.job << " at iteration " << row.epoch << " [" << row.mark << "]");
    CHECK(Schedule(job(row.job), imagenet).rate(static_cast<int64_t>(row.epoch)) ==
          Approx(row.rate).epsilon(1e-9));
  }
}

TEST_CASE("job files: the published iterations") {
  const auto steps = [](const char* name) { return Schedule(job(name), imagenet).steps(); };
  CHECK(steps("goyal-256") == 450410);
  CHECK(steps("goyal-1hour") == 14075);
  CHECK(steps("akiba-15min") == 3519);  // 3,518.8, to the nearest whole
  CHECK(steps("you-alexnet-11min") == 4000);
  CHECK(steps("you-resnet50-20min") == 3519);
  CHECK(steps("you-resnet50-14min") == 2502);
  CHECK(steps("you-resnet50-48min") == 3519);
}

TEST_CASE("job files: Goyal's curve of minibatches is one job with another number of workers") {
  // Fig. 1: eta = 0.1 kn/256 [V]; gradual warm-up only above 256 [V].
  for (int minibatch = 128; minibatch <= 65536; minibatch *= 2) {
    const Schedule schedule(job("goyal-1hour", {"minibatch.workers=" + std::to_string(minibatch / 32)}),
                            imagenet);
    INFO(minibatch);
    CHECK(schedule.global() == minibatch);
    CHECK(schedule.peak() == Approx(0.1 * minibatch / 256));
    CHECK((schedule.warmup_steps() > 0) == (minibatch > 256));
    CHECK(schedule.rate(0) == Approx(std::min(0.1, schedule.peak())));
    CHECK(schedule.rate(first_step_of(20, schedule)) == Approx(schedule.peak()));
  }
}

TEST_CASE("job files: momentum, decay and what is special to each recipe") {
  for (const char* name : {"goyal-256", "goyal-1hour"}) {
    const Experiment e = job(name);
    CHECK((e.optimizer.kind == "sgd" && e.optimizer.nesterov && e.optimizer.momentum == 0.9));
    CHECK((e.optimizer.weight_decay == 1e-4 && !e.optimizer.decay_norm && e.optimizer.decay_bias));
    CHECK((e.network.variant == "v1.5" && e.network.zero_gamma && e.minibatch.images == 32));
  }
  const Experiment akiba = job("akiba-15min");
  CHECK((akiba.optimizer.momentum == 0.9 && akiba.optimizer.mu2 == 0.99 && akiba.optimizer.epsilon == 1e-8));
  CHECK((akiba.optimizer.weight_decay == 1e-4 && !akiba.optimizer.decay_norm &&
         akiba.minibatch.workers == 1024));
  CHECK((akiba.allreduce.wire == "fp16" && akiba.network.bn_evaluation == "last-minibatch"));
  for (const char* name :
       {"you-alexnet-11min", "you-resnet50-20min", "you-resnet50-14min", "you-resnet50-48min"}) {
    const Experiment e = job(name);
    CHECK((e.optimizer.kind == "lars" && e.optimizer.variant == "caffe" && e.optimizer.trust == 0.001));
    CHECK((e.optimizer.momentum == 0.9 && e.optimizer.weight_decay == 5e-4 && e.minibatch.global() == 32768));
    CHECK((e.optimizer.decay_bias && e.optimizer.decay_norm && e.optimizer.adapt_bias &&
           e.optimizer.adapt_norm));
  }
}

TEST_CASE("job files: Akiba's alpha_SGD at the epochs that the notes list, continuous and as printed") {
  struct Alpha {
    double epoch, continuous, literal;
  };
  constexpr Alpha listed[] = {{0, 0.00916, 0.00916}, {5, 0.0677, 0.0677}, {9, 0.335, 0.335}, {10, 0.5, 0.5},
                              {11, 0.7, 0.9},        {12, 0.9, 1.3},      {13, 1, 1},        {89, 1, 1}};
  const auto alpha = [](const Experiment& e, double epoch) {
    return alpha_sgd(std::get<RmspropWarmup>(make_optimizer(e.optimizer)), epoch);
  };
  const Experiment continuous = job("akiba-15min"),
                   literal = job("akiba-15min", {"optimizer.transition=literal"});
  CHECK(continuous.optimizer.transition == "continuous");
  for (const Alpha& row : listed) {
    INFO(row.epoch);
    CHECK(alpha(continuous, row.epoch) == Approx(row.continuous).epsilon(2e-3));
    CHECK(alpha(literal, row.epoch) == Approx(row.literal).epsilon(2e-3));
    CHECK(alpha(continuous, row.epoch + 0.7) ==
          alpha(continuous, row.epoch));  // by whole epochs, as the codes do
  }
}

TEST_CASE("job files: MLPerf's ten reference convergence points") {
  for (const Point& point : points) {
    const Experiment e = job("mlperf/b" + std::to_string(point.minibatch));
    const Schedule schedule(e, imagenet);
    INFO(point.minibatch);
    CHECK(e.minibatch.global() == point.minibatch);
    CHECK(
        (e.optimizer.kind == "lars" && e.optimizer.variant == "mlperf" && e.network.label_smoothing == 0.1));
    CHECK((e.optimizer.momentum == point.momentum && e.optimizer.weight_decay == point.weight_decay));
    CHECK(schedule.rate(0) == 0.0);
    CHECK(schedule.rate(schedule.warmup_steps()) == Approx(point.rate));
    CHECK(std::llround(point.warmup_epochs * static_cast<double>(imagenet) / point.minibatch) ==
          schedule.warmup_steps());
    CHECK(schedule.rate(schedule.steps() - 1) == Approx(1e-4).epsilon(0.2));
  }
}

TEST_CASE("job files: every one in the folder resolves, builds its network and names its source") {
  int found = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::string(CONVOY_SOURCE_DIR) + "/jobs")) {
    if (entry.path().extension() != ".toml") continue;
    if (entry.path().string().find("/jobs/launch/") != std::string::npos) continue;  // machines, no jobs
    INFO(entry.path().string());
    const Experiment e = parse_experiment(entry.path());
    CHECK_FALSE(e.source.empty());
    CHECK_FALSE(e.description.empty());
    CHECK(Schedule(e, imagenet).steps() > 0);
    CHECK(make_network(e.network, 1000).parameters() > 0);
    CHECK(parse_experiment_text(resolved_toml(e), "resolved.toml").minibatch.global() ==
          e.minibatch.global());
    ++found;
  }
  CHECK(found >= 19);
}

}  // namespace convoy
