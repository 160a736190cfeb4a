#include "observe/energy_meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace convoy {
namespace {

using Json = nlohmann::json;
constexpr double every_seconds = 10;

Json value(const std::optional<double>& joules) { return joules ? Json(*joules) : Json(nullptr); }

void add(std::optional<double>& sum, const Json& joules) {
  if (joules.is_null())
    sum.reset();
  else if (sum)
    *sum += joules.get<double>();
}

}  // namespace

EnergyMeter::EnergyMeter(Communicator& comm, EnergySources sources)
    : comm_(comm), sources_(std::move(sources)) {}

void EnergyMeter::start() {
  const std::vector<std::string> hosts = comm_.gather(comm_.host());
  const auto first = std::find(hosts.begin(), hosts.end(), comm_.host());
  if (first - hosts.begin() != comm_.rank()) return;
  rapl_ = std::make_unique<Rapl>(sources_.powercap);
  nvml_ = std::make_unique<Nvml>(sources_.nvml);
  last_ = std::chrono::steady_clock::now();
}

void EnergyMeter::sample() {
  if (!rapl_) return;
  const auto now = std::chrono::steady_clock::now();
  if (std::chrono::duration<double>(now - last_).count() < every_seconds) return;
  last_ = now;
  rapl_->sample();
}

Energy EnergyMeter::stop() {
  std::string mine;
  if (rapl_) {
    rapl_->sample();
    const auto gpu = nvml_->joules();
    mine = Json{{"host", comm_.host()},
                {"cpu", value(rapl_->joules())},
                {"gpu", value(gpu)},
                {"cpu_reason", rapl_->reason()},
                {"gpu_reason", nvml_->reason()}}
               .dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  Energy energy{.cpu_joules = 0.0, .gpu_joules = 0.0, .source = "", .reason = ""};
  for (const std::string& text : comm_.gather(mine)) {
    if (text.empty()) continue;
    const Json host = Json::parse(text);
    add(energy.cpu_joules, host["cpu"]);
    add(energy.gpu_joules, host["gpu"]);
    for (const char* key : {"cpu_reason", "gpu_reason"}) {
      const std::string why = host[key];
      if (why.empty() || energy.reason.find(why) != std::string::npos) continue;
      energy.reason +=
          fmt::format("{}{}: {}", energy.reason.empty() ? "" : "; ", host["host"].get<std::string>(), why);
      if (energy.reason.size() > 500) energy.reason.resize(500);
    }
  }
  if (energy.cpu_joules) energy.source = "RAPL";
  if (energy.gpu_joules) energy.source += energy.source.empty() ? "NVML" : " and NVML";
  return energy;
}

}  // namespace convoy
