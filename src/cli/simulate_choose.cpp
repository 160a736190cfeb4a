#include "cli/simulate_choose.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/voice.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;
using namespace simulate;

constexpr double bucket_sizes[] = {1, 2, 4, 8, 16, 32, 64, 1024};  // MiB; the last: one bucket of all

struct Candidate {
  Experiment experiment;
  Algorithm algorithm = Algorithm::tree;
  double closed = 0;  // seconds of an iteration
  Simulated simulated{};
};

std::vector<Candidate> weighed(const SimulateFlags& flags, const Experiment& job, const Cluster& cluster,
                               const char* wire) {
  std::vector<Candidate> all;
  for (const NamedAlgorithm& one : algorithms())
    for (const double mib : bucket_sizes) {
      Candidate candidate{.experiment = job, .algorithm = one.algorithm};
      candidate.experiment.train.bucket_mib = mib;
      candidate.experiment.allreduce.wire = wire;
      const SimulatedJob made =
          make_job(candidate.experiment, cluster,
                   {.ranks = flags.ranks, .basis = flags.of(), .algorithm = one.algorithm});
      if (made.algorithm != one.algorithm) continue;
      candidate.closed = forecast(made, alpha_beta(cluster, flags.of())).iteration;
      all.push_back(std::move(candidate));
    }
  std::ranges::stable_sort(all, {}, &Candidate::closed);
  return all;
}

// The best so many, and the best tree. `all` is sorted.
std::vector<Candidate> finalists(std::vector<Candidate> all, int count) {
  std::vector<Candidate> best;
  bool tree = false;  // one is among them
  for (Candidate& one : all) {
    const bool first_tree = one.algorithm == Algorithm::tree && !tree;
    if (best.size() >= static_cast<size_t>(count) && !first_tree) continue;
    tree |= first_tree;
    best.push_back(std::move(one));
  }
  return best;
}

std::string buckets_of(const Experiment& experiment, const Simulated& one) {
  const size_t count = one.job.scenario.buckets.size();
  return count == 1 ? "1 of all" : fmt::format("{} of {:g} MiB", count, experiment.train.bucket_mib);
}

const Candidate& chosen_of(const std::vector<Candidate>& all, const std::string& wire) {
  const Candidate *best = nullptr, *tree = nullptr;
  const auto seconds = [](const Candidate& one) { return one.simulated.found.iteration; };
  for (const Candidate& one : all) {
    if (one.experiment.allreduce.wire != wire) continue;
    if (best == nullptr || seconds(one) < seconds(*best)) best = &one;
    if (one.algorithm == Algorithm::tree && (tree == nullptr || seconds(one) < seconds(*tree))) tree = &one;
  }
  return tree != nullptr && seconds(*tree) <= 1.01 * seconds(*best) ? *tree : *best;
}

}  // namespace

int choose_schedule(const SimulateFlags& flags, const Cluster& cluster) {
  const Experiment job = parse_experiment(flags.job, flags.overrides);
  const Simulated asked = simulate_one(flags, job, cluster);
  SimulateFlags with = flags;
  with.blocking = false;
  std::vector<Candidate> all;
  for (const char* wire : {"f32", "fp16"})
    for (Candidate& one : finalists(weighed(flags, job, cluster, wire), flags.choose)) {
      with.algorithm = name_of(one.algorithm);
      one.simulated = simulate_one(with, one.experiment, cluster);
      all.push_back(std::move(one));
    }
  std::ranges::stable_sort(all, {}, [](const Candidate& one) { return one.simulated.found.iteration; });
  const Candidate& chosen = chosen_of(all, job.allreduce.wire);

  Json report{{"schema", "convoy.simulation-choice/1"},
              {"asked", result_json(flags, job, cluster, asked)},
              {"candidates", Json::array()}};
  for (const Candidate& one : all) {
    Json line = result_json(with, one.experiment, cluster, one.simulated);
    line["bucket_mib"] = one.experiment.train.bucket_mib;
    line["chosen"] = &one == &chosen;
    report["candidates"].push_back(std::move(line));
  }
  if (!flags.out.empty()) replace_file(flags.out, report.dump(2) + "\n");
  if (flags.json) {
    print_json(report);
    return 0;
  }
  const auto print = [&](const Experiment& experiment, const Simulated& one, const std::string& more) {
    fmt::print("  {:<5} {:<13} {:<14} {:10.4f} s {:10.4f} s {:8.1f} %  {}\n", experiment.allreduce.wire,
               one.job.scenario.algorithm, buckets_of(experiment, one), one.found.iteration,
               one.found.exposed, 100 * (asked.found.iteration / one.found.iteration - 1), more);
  };
  fmt::print("{} on {}, {} ranks on {} nodes\n  {:<5} {:<13} {:<14} {:>12} {:>12} {:>10}\n", job.name,
             cluster.name, asked.job.scenario.ranks, asked.job.nodes, "wire", "allreduce", "buckets",
             "iteration", "exposed", "quicker by");
  print(job, asked, flags.blocking ? "as asked, without overlap" : "as asked");
  for (const Candidate& one : all)
    print(one.experiment, one.simulated,
          &one == &chosen ? "<- chosen"
          : one.experiment.allreduce.wire != job.allreduce.wire
              ? "another experiment: the wire rounds differently"
              : "");
  return 0;
}

}  // namespace convoy::cli
