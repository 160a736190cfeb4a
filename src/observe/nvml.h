// Energy of a host's NVIDIA GPUs from the driver's own library, loaded at run time: nothing is linked, no header of NVIDIA
// is needed, and a host without it says so. nvmlDeviceGetTotalEnergyConsumption: millijoules since the driver was loaded
// (Volta and later), so two readings are enough. Counts every GPU of the host, whoever uses it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace convoy {

class Nvml {
 public:
  explicit Nvml(const std::string& library = "libnvidia-ml.so.1");
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  // Since construction; null where it cannot be read, and reason() says why.
  std::optional<double> joules();
  const std::string& reason() const { return reason_; }

 private:
  using Device = struct nvmlDevice_st*;
  using EnergyFn = int (*)(Device, unsigned long long*);
  std::optional<unsigned long long> total();  // mJ

  void* library_ = nullptr;
  int (*shutdown_)() = nullptr;
  EnergyFn energy_ = nullptr;
  std::vector<Device> devices_;
  unsigned long long first_ = 0;
  std::string reason_;
};

}  // namespace convoy
