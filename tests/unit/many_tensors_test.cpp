// Many tensors a call: the same bits as one by one, on any number of threads, and by the bodies that the GPU launches.
#include "backends/common/many_tensors.h"

#include <catch2/catch.hpp>
#include <deque>

#include "../support/many_tensors.h"
#include "../support/one_tensor.h"
#include "backends/common/host_vector.h"
#include "net/resnet.h"
#include "train/optimizer.h"

namespace convoy {
namespace {

// What device_vector.cu does, with loops for launches.
class LoopVector final : public Vector {
 public:
  int launches = 0;
  void squared_norms(std::span<const NormTaskOf<float>> tasks, std::span<double> norms) override {
    int64_t all = 0, before = 0;
    for (const auto& task : tasks) all += norm_chunks(task.g.size());
    std::vector<double> lanes(static_cast<size_t>(all * norm_lanes)), sums(static_cast<size_t>(all));
    run<NormBody>(tasks, [&](const NormTaskOf<float>& task) {
      const auto made = body_of(task, lanes.data() + before);
      before += made.second;
      return made;
    });
    ++launches;
    for (int64_t chunk = 0; chunk < all; ++chunk) ChunkNormBody{lanes.data(), sums.data()}(chunk);
    const double* next = sums.data();
    for (size_t t = 0; t < tasks.size(); ++t) {
      norms[t] = sum_of_chunks(next, norm_chunks(tasks[t].g.size()));
      next += norm_chunks(tasks[t].g.size());
    }
  }
  void momentum_steps(std::span<const MomentumTaskOf<float>> tasks) override {
    run<MomentumBody>(tasks, body);
  }
  void rmsprop_steps(std::span<const RmspropTaskOf<float>> tasks) override { run<RmspropBody>(tasks, body); }
  void running_averages(std::span<const AverageTaskOf<float>> tasks) override {
    run<AverageBody>(tasks, body);
  }

 private:
  static constexpr auto body = [](const auto& task) { return body_of(task); };
  template <class Body, class Tasks, class Of>
  void run(const Tasks& tasks, const Of& made) {
    launch_many<Body>(tasks, made, [&](const auto& many, int64_t count) {
      ++launches;
      for (int64_t i = count; i-- > 0;) many(i);  // in any order
    });
  }
};

// The host's, task by task.
class SingleVector final : public Vector {
 public:
  HostVector host{1};
  void squared_norms(std::span<const NormTaskOf<float>> tasks, std::span<double> norms) override {
    for (size_t t = 0; t < tasks.size(); ++t) norms[t] = host.squared_norm(tasks[t]);
  }
  void momentum_steps(std::span<const MomentumTaskOf<float>> tasks) override {
    for (const auto& t : tasks) testing::momentum_step(host, t.w, t.v, t.g, t.step);
  }
  void rmsprop_steps(std::span<const RmspropTaskOf<float>> tasks) override {
    for (const auto& t : tasks) testing::rmsprop_step(host, t.w, t.v, t.m, t.g, t.step);
  }
  void running_averages(std::span<const AverageTaskOf<float>> tasks) override {
    for (const auto& t : tasks) testing::running_average(host, t.r, t.s, t.keep, t.scale);
  }
};

}  // namespace

TEST_CASE("many tensors: the bits of one at a time, on any threads and in the GPU's launches") {
  const testing::ManyTensors tensors(3);
  std::deque<std::vector<float>> kept;
  const auto memory = [&](size_t count) { return std::span(kept.emplace_back(count)); };
  SingleVector single;
  const auto expected = tensors.computed(single, memory);
  for (const int threads : {1, 3}) {
    HostVector host(threads);
    CHECK(tensors.computed(host, memory) == expected);
  }
  LoopVector loops;
  CHECK(tensors.computed(loops, memory) == expected);
  CHECK(loops.launches > 8);   // a launch does not take them all
  CHECK(loops.launches < 40);  // and takes many
  loops.momentum_steps({});
  CHECK(loops.squared_norm(std::span<const float>()) == 0.0);
}

TEST_CASE("many tensors: how many launches a step of ResNet-50's optimizers takes") {
  const Graph graph = resnet({});
  const Program program = lower(graph, 1);
  Arena arena(graph, program.layout, 1);
  arena.initialize(1);
  const auto launches = [&](const Optimizer& optimizer) {
    LoopVector loops;
    update(optimizer, loops, graph, arena, {.rate = 0.1}, 1.0f);
    return loops.launches;
  };
  CHECK(launches(Sgd{}) == 5);
  CHECK(launches(Lars{}) == 13);
}

}  // namespace convoy
