#include "cli/plan_mix.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "comm/shares.h"

namespace convoy::cli {
namespace {

using Json = nlohmann::ordered_json;

// Seconds of a step of such shares.
double step_of(const Experiment& experiment, const std::vector<int>& workers,
               const std::vector<double>& speeds) {
  double longest = 0;
  for (size_t rank = 0; rank < speeds.size(); ++rank)
    longest = std::max(longest, workers[rank] * experiment.minibatch.images / speeds[rank]);
  return longest;
}

}  // namespace

std::vector<int> workers_by_speed(const Experiment& experiment, const std::vector<double>& speeds) {
  const int runs = runs_of(experiment).workers;
  for (const double speed : speeds)
    require(speed > 0, Exit::usage, "--speeds {}: images a second are above 0", fmt::join(speeds, ","));
  require(static_cast<int>(speeds.size()) <= runs, Exit::usage,
          "--speeds names {} ranks for {} runs of the network: name at most {}", speeds.size(), runs, runs);
  std::vector<int> workers = counts_by_speed(runs, speeds);
  for (int& count : workers) count *= workers_together(experiment);
  return workers;
}

Json mix_forecast(const Experiment& experiment, const std::vector<double>& speeds) {
  const std::vector<int> workers = workers_by_speed(experiment, speeds);
  std::vector<int> even;
  for (size_t rank = 0; rank < speeds.size(); ++rank)
    even.push_back(workers_together(experiment) * even_share(runs_of(experiment).workers,
                                                             static_cast<int>(speeds.size()),
                                                             static_cast<int>(rank))
                                                      .count);
  const double global = static_cast<double>(experiment.minibatch.global());
  const double together = step_of(experiment, workers, speeds), alone = global / std::ranges::max(speeds);
  return {{"images_per_s", speeds},
          {"workers", workers},
          {"step_s", together},
          {"step_s_even", step_of(experiment, even, speeds)},
          {"step_s_fastest_alone", alone},
          {"gain", alone / together}};
}

void print_mix(const Json& mix) {
  const auto speeds = mix["images_per_s"].get<std::vector<double>>();
  const auto workers = mix["workers"].get<std::vector<int>>();
  fmt::print("mix         of ranks with {} images/s, {} workers each\n", fmt::join(speeds, ", "),
             fmt::join(workers, ", "));
  const double gain = mix["gain"].get<double>();
  fmt::print(
      "            {:.4g} s a step without communication; dealt evenly {:.4g} s; the fastest rank alone {:.4g} s: "
      "{}\n",
      mix["step_s"].get<double>(), mix["step_s_even"].get<double>(),
      mix["step_s_fastest_alone"].get<double>(),
      gain >= 1
          ? fmt::format("a gain of {:.3g} %", 100 * (gain - 1))
          : fmt::format("a loss of {:.3g} %: leave slow ranks out, or give smaller minibatches a worker",
                        100 * (1 - gain)));
}

}  // namespace convoy::cli
