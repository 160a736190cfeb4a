#include "cli/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cli/trial.h"
#include "comm/tree.h"
#include "data/loader.h"
#include "report/statistics.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

namespace convoy::cli {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

std::vector<double> gather(Communicator& comm, double mine) {
  std::vector<double> all;
  for (const std::string& text : comm.gather(fmt::format("{:.17g}", mine))) all.push_back(std::stod(text));
  return all;
}

double update_bytes(const Layout& layout, int states) {
  return static_cast<double>(layout.elements) * sizeof(float) * (3 + 2 * states);
}

StepTimes time_steps(Communicator& comm, const Experiment& experiment, Backend& backend, int steps) {
  const Optimizer optimizer = make_optimizer(experiment.optimizer);
  const int states = optimizer_states(optimizer);
  Trial trial(experiment, backend, Mode::training, states);
  const Layout& layout = trial.program().layout;
  StepTimes times{.ready = std::vector<double>(layout.buckets.size())};
  std::vector<double> all;
  for (int step = -2; step < steps; ++step) {
    comm.barrier();
    const auto begin = Clock::now();
    const auto since = [begin] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
    std::vector<double> ready(times.ready.size());
    const double seconds =
        trial.run([&](BucketId bucket, Event) { ready[static_cast<size_t>(bucket)] = since(); });
    const double whole = since();  // by the same clock: on a busy machine `seconds` may begin later
    if (step < 0) continue;
    for (size_t b = 0; b < ready.size(); ++b) times.ready[b] += ready[b] / whole / steps;
    for (const double one : gather(comm, seconds)) all.push_back(one);
  }
  times.seconds = report::median(all);
  const StepRates none = Schedule(experiment, imagenet_images).at(0);
  std::vector<double> updates;
  for (int i = 0; i < 5; ++i)
    updates.push_back(seconds_of(
        [&] { update(optimizer, backend.vector(), trial.program().graph, trial.arena(), none, 1.0f); }));
  times.memory_bandwidth =
      update_bytes(layout, states) / std::ranges::max(gather(comm, report::median(updates)));
  double squares = 0;
  for (const double one : all) squares += std::pow(std::log(one / times.seconds), 2);
  times.spread = std::sqrt(squares / static_cast<double>(all.size()));
  return times;
}

std::vector<double> speeds_of_ranks(Communicator& comm, const Experiment& experiment, Backend& backend) {
  Trial trial(experiment, backend, Mode::training, 0);
  trial.run();
  comm.barrier();
  // As long as it takes for a fast rank's time to mean something; a slow one is done with its first.
  std::vector<double> seconds;
  double spent = 0;
  while (spent < 1.0 || seconds.empty()) spent += seconds.emplace_back(trial.run());
  return gather(comm, 1.0 / report::median(seconds));
}

Link time_link(Communicator& comm, int a, int b) {
  if (b < 0) return {};
  const auto round = [&](size_t bytes) {
    std::vector<std::byte> out(bytes), in(bytes);
    const int peer = comm.rank() == a ? b : a, times = 20;
    std::vector<double> seconds;
    comm.barrier();
    if (comm.rank() == a || comm.rank() == b)
      for (int i = 0; i < times; ++i) {
        seconds.push_back(seconds_of([&] {
          if (comm.rank() == a) {
            comm.start_exchange(peer, out, {})->wait();
            comm.start_exchange(peer, {}, in)->wait();
          } else {
            comm.start_exchange(peer, {}, in)->wait();
            comm.start_exchange(peer, out, {})->wait();
          }
        }));
      }
    return gather(comm, seconds.empty() ? 0 : report::median(seconds) / 2)[static_cast<size_t>(a)];
  };
  const double small = round(8), large = round(size_t{16} << 20);
  return {small, static_cast<double>(size_t{16} << 20) / std::max(large - small, 1e-9), true};
}

double time_allreduce(Communicator& comm, size_t bytes) {
  std::vector<float> values(bytes / 4), scratch(tree_scratch(values.size(), comm.size()));
  double seconds = 0;
  for (int i = 0; i < 2; ++i) {
    comm.barrier();
    seconds = seconds_of([&] {
      tree_sum(comm, values, scratch,
               [](Communicator::Pending& message, const TreeStep&) { message.wait(); });
    });
  }
  return std::ranges::max(gather(comm, seconds));
}

double sum_bandwidth(Communicator& comm) {
  std::vector<float> to(size_t{8} << 20), from(to.size(), 1.0f);
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i)
    seconds.push_back(seconds_of([&] {
      for (size_t e = 0; e < to.size(); ++e) to[e] += from[e];
    }));
  return report::median(
      gather(comm, static_cast<double>(3 * to.size() * sizeof(float)) / report::median(seconds)));
}

double time_loader(Communicator& comm, const Experiment& experiment, std::shared_ptr<const Dataset> set,
                   int threads, int steps) {
  const int images = runs_of(experiment).images;
  const auto loader = make_loader(std::move(set), {.seed = experiment.train.seed,
                                                   .workers = comm.size(),
                                                   .batch = images,
                                                   .transform = transform_of(experiment.data),
                                                   .local_workers = {comm.rank()},
                                                   .threads = threads});
  int64_t step = 0;
  const auto some = [&](int count) {
    for (int i = 0; i < count; ++i) loader->next(step++, comm.rank());
  };
  some(4);  // what was prepared ahead of the clock
  comm.barrier();
  const double seconds = seconds_of([&] { some(steps); });
  return std::ranges::min(gather(comm, images * steps / seconds));
}

}  // namespace convoy::cli
