#include "observe/attribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

constexpr double dominates = 0.2;  // a share worth a sentence
constexpr size_t listed = 64;      // ranks in a line of times.jsonl, the slowest of more

constexpr std::array parts{
    std::pair{"data_wait_s", &StepTimes::data_wait}, std::pair{"compute_s", &StepTimes::compute},
    std::pair{"communication_exposed_s", &StepTimes::communication},
    std::pair{"optimizer_s", &StepTimes::optimizer}, std::pair{"other_s", &StepTimes::other}};

double nearest_rank(const std::vector<double>& sorted, double quantile) {
  const auto rank = static_cast<size_t>(std::ceil(quantile * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

std::string who(const RankTimes& times) { return fmt::format("rank {} ({})", times.rank, times.host); }

// The sentence for the largest share that is not computing, if it dominates.
std::string advise(const Attribution& a, const std::vector<RankTimes>& ranks) {
  const RankTimes& slowest = ranks[a.slowest];
  const double worst = std::max({a.data_wait, a.communication, a.imbalance, a.optimizer, a.other});
  if (worst < dominates) return "";
  if (worst == a.data_wait)
    return fmt::format(
        "data: {:.0f} % of the step was waiting for images on {}: more --loader-threads, or stage the shards on that "
        "host's own disk",
        100 * worst, who(slowest));
  if (worst == a.imbalance)
    return fmt::format(
        "straggler: {:.0f} % of the step the other ranks waited for {}, whose own work takes {:.3g} s (p95 {:.3g} s), "
        "{:.0f} % more than the median rank's: look at that host's clocks, other jobs and core binding",
        100 * worst, who(slowest), slowest.p50, slowest.p95, 100 * a.behind);
  if (worst == a.communication)
    return fmt::format(
        "communication: {:.0f} % of the step was sums of gradients that the backward pass did not hide: fewer ranks "
        "(more workers on each), a faster network, or half the bytes by allreduce.wire (other bits)",
        100 * worst);
  if (worst == a.optimizer)
    return fmt::format(
        "optimizer: {:.0f} % of the step was the update of the weights on {}: more --threads, or more images a step",
        100 * worst, who(slowest));
  return fmt::format(
      "other: {:.0f} % of the step lay between the steps, where counts are summed and records written: a faster disk "
      "for the run's folder, or more images a step",
      100 * worst);
}

}  // namespace

RankTimes sum_up(int rank, const std::string& host, std::span<const StepTimes> steps) {
  RankTimes times{.rank = rank, .host = host, .steps = static_cast<int64_t>(steps.size())};
  if (steps.empty()) return times;
  std::vector<double> own;
  own.reserve(steps.size());
  for (const StepTimes& step : steps) {
    for (const auto& [name, part] : parts) times.mean.*part += step.*part;
    own.push_back(step.data_wait + step.compute + step.optimizer);
  }
  for (const auto& [name, part] : parts) times.mean.*part /= static_cast<double>(steps.size());
  times.mean.total = times.own() + times.mean.communication;
  std::sort(own.begin(), own.end());
  times.p50 = nearest_rank(own, 0.5);
  times.p95 = nearest_rank(own, 0.95);
  return times;
}

Json to_json(const RankTimes& times) {
  Json json{{"rank", times.rank},
            {"host", times.host},
            {"steps", times.steps},
            {"own_p50_s", times.p50},
            {"own_p95_s", times.p95}};
  for (const auto& [name, part] : parts) json[name] = times.mean.*part;
  return json;
}

RankTimes rank_times(const Json& json) {
  RankTimes times{.rank = json.at("rank"), .host = json.at("host"), .steps = json.at("steps")};
  times.p50 = json.at("own_p50_s");
  times.p95 = json.at("own_p95_s");
  for (const auto& [name, part] : parts) times.mean.*part = json.at(name);
  times.mean.total = times.own() + times.mean.communication;
  return times;
}

Attribution attribute(const std::vector<RankTimes>& ranks) {
  Attribution a;
  std::vector<double> own;
  double least = INFINITY;
  for (size_t i = 0; i < ranks.size(); ++i) {
    own.push_back(ranks[i].own());
    if (own[i] > own[a.slowest]) a.slowest = i;
    least = std::min(least, ranks[i].mean.communication);
  }
  const StepTimes& mean = ranks[a.slowest].mean;
  const auto middle = own.begin() + static_cast<std::ptrdiff_t>((own.size() - 1) / 2);
  const double slow = own[a.slowest];
  std::nth_element(own.begin(), middle, own.end());
  const double lag = slow - *middle;
  a.behind = *middle > 0 ? lag / *middle : 0.0;
  const double step = slow + mean.communication + mean.other;
  if (step <= 0) return a;
  a.data_wait = mean.data_wait / step;
  a.optimizer = mean.optimizer / step;
  a.other = mean.other / step;
  // What the slowest rank computes beyond the median rank's own work is the others' waiting; its images have a share.
  a.imbalance = std::min(lag, mean.compute) / step;
  if (mean.data_wait > lag / 2) a.imbalance = 0;
  a.compute = mean.compute / step - a.imbalance;
  a.communication = least / step;
  a.other += (mean.communication - least) / step;
  a.advice = advise(a, ranks);
  return a;
}

Json to_json(const Attribution& a, const std::vector<RankTimes>& ranks) {
  std::vector<size_t> order(ranks.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (ranks.size() > listed) {
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t x, size_t y) { return ranks[x].own() > ranks[y].own(); });
    order.resize(listed);
  }
  Json rows = Json::array();
  for (const size_t i : order) rows.push_back(to_json(ranks[i]));
  const RankTimes& slowest = ranks[a.slowest];
  return {{"share",
           {{"data_wait", a.data_wait},
            {"compute", a.compute},
            {"imbalance", a.imbalance},
            {"communication_exposed", a.communication},
            {"optimizer", a.optimizer},
            {"other", a.other}}},
          {"slowest", {{"rank", slowest.rank}, {"host", slowest.host}, {"behind_median", a.behind}}},
          {"advice", a.advice.empty() ? Json(nullptr) : Json(a.advice)},
          {"ranks_all", ranks.size()},
          {"ranks", rows}};
}

std::string text(const Attribution& a) {
  std::string line =
      fmt::format("{:.0f} % computing, {:.0f} % waiting for images, {:.0f} % exposed communication",
                  100 * a.compute, 100 * a.data_wait, 100 * a.communication);
  if (a.imbalance > 0.005) line += fmt::format(", {:.0f} % waiting for the slowest rank", 100 * a.imbalance);
  return line + fmt::format(", {:.0f} % optimizer, {:.0f} % other", 100 * a.optimizer, 100 * a.other);
}

}  // namespace convoy
