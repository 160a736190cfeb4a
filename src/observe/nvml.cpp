#include "observe/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace convoy {
namespace {

template <class Function>
Function find(void* library, const char* name) {
  return reinterpret_cast<Function>(::dlsym(library, name));
}

}  // namespace

Nvml::Nvml(const std::string& library) {
  library_ = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library_ == nullptr) {
    reason_ = fmt::format("no {} on this host", library);
    return;
  }
  const auto init = find<int (*)()>(library_, "nvmlInit_v2");
  const auto count_of = find<int (*)(unsigned*)>(library_, "nvmlDeviceGetCount_v2");
  const auto device_at = find<int (*)(unsigned, Device*)>(library_, "nvmlDeviceGetHandleByIndex_v2");
  energy_ = find<EnergyFn>(library_, "nvmlDeviceGetTotalEnergyConsumption");
  const auto shut = find<int (*)()>(library_, "nvmlShutdown");
  if (init == nullptr || count_of == nullptr || device_at == nullptr || energy_ == nullptr ||
      shut == nullptr) {
    reason_ = fmt::format("{} does not know nvmlDeviceGetTotalEnergyConsumption", library);
    return;
  }
  if (const int code = init(); code != 0) {
    reason_ = fmt::format("nvmlInit_v2 answered {}", code);
    return;
  }
  shutdown_ = shut;
  unsigned count = 0;
  if (count_of(&count) != 0) count = 0;
  for (unsigned i = 0; i < count; ++i) {
    Device device = nullptr;
    if (device_at(i, &device) == 0) devices_.push_back(device);
  }
  if (devices_.empty()) reason_ = "NVML shows no GPU";
  first_ = total().value_or(0);
}

Nvml::~Nvml() {
  if (shutdown_ != nullptr) shutdown_();
  if (library_ != nullptr) ::dlclose(library_);
}

std::optional<unsigned long long> Nvml::total() {
  if (!reason_.empty()) return std::nullopt;
  unsigned long long sum = 0;
  for (const Device device : devices_) {
    unsigned long long one = 0;
    if (const int code = energy_(device, &one); code != 0) {
      reason_ = fmt::format("nvmlDeviceGetTotalEnergyConsumption answered {}", code);
      return std::nullopt;
    }
    sum += one;
  }
  return sum;
}

std::optional<double> Nvml::joules() {
  const auto now = total();
  if (!now) return std::nullopt;
  return static_cast<double>(*now - first_) * 1e-3;
}

}  // namespace convoy
