#include "train/rank_report.h"

#include <sys/resource.h>

#include <algorithm>

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

Json times_json(const StepTimes& times) {
  return {{"total_s", times.total},
          {"data_wait_s", times.data_wait},
          {"compute_s", times.compute},
          {"communication_exposed_s", times.communication},
          {"optimizer_s", times.optimizer}};
}

RankReport from_json(const Json& j) {
  RankReport report;
  report.rank = j.at("rank");
  report.host = j.at("host");
  report.device = {j.at("backend"), j.at("library"), j.at("isa"), j.at("device"), j.at("threads")};
  report.first_worker = j.at("first_worker");
  report.workers = j.at("workers");
  report.activation_bytes = j.at("memory").at("activations_bytes");
  report.weight_bytes = j.at("memory").at("private_weights_bytes");
  report.scratch_bytes = j.at("memory").at("scratch_bytes");
  report.arena_bytes = j.at("memory").at("arena_bytes");
  report.partial_sum_bytes = j.at("memory").at("partial_sums_bytes");
  report.peak_rss_bytes = j.at("memory").at("peak_rss_bytes");
  const Json& median = j.at("median_step");
  report.median = {median.at("total_s"), median.at("data_wait_s"), median.at("compute_s"),
                   median.at("communication_exposed_s"), median.at("optimizer_s")};
  return report;
}

}  // namespace

Json to_json(const RankReport& r) {
  return {{"rank", r.rank},
          {"host", r.host},
          {"backend", r.device.backend},
          {"library", r.device.library},
          {"isa", r.device.isa},
          {"device", r.device.hardware},
          {"threads", r.device.threads},
          {"first_worker", r.first_worker},
          {"workers", r.workers},
          {"memory",
           {{"arena_bytes", r.arena_bytes},
            {"partial_sums_bytes", r.partial_sum_bytes},
            {"activations_bytes", r.activation_bytes},
            {"private_weights_bytes", r.weight_bytes},
            {"scratch_bytes", r.scratch_bytes},
            {"peak_rss_bytes", r.peak_rss_bytes}}},
          {"median_step", times_json(r.median)}};
}

std::vector<RankReport> gather_reports(const RankReport& mine, Communicator& comm) {
  std::vector<RankReport> reports;
  for (const std::string& text : comm.gather(to_json(mine).dump()))
    reports.push_back(from_json(Json::parse(text)));
  return reports;
}

bool same_fingerprint(const std::vector<RankReport>& reports) {
  return std::all_of(reports.begin(), reports.end(), [&](const RankReport& r) {
    const DeviceInfo &a = r.device, &b = reports.front().device;
    return a.backend == b.backend && a.library == b.library && a.isa == b.isa && a.threads == b.threads;
  });
}

StepTimes median_of(std::vector<StepTimes> times) {
  StepTimes median;
  if (times.empty()) return median;
  for (double StepTimes::*part : {&StepTimes::total, &StepTimes::data_wait, &StepTimes::compute,
                                  &StepTimes::communication, &StepTimes::optimizer}) {
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end(),
                     [part](const StepTimes& a, const StepTimes& b) { return a.*part < b.*part; });
    median.*part = (*middle).*part;
  }
  return median;
}

size_t peak_rss_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_maxrss) * 1024;  // kilobytes on Linux
}

}  // namespace convoy
