// The energy of a job: the first rank of every host reads that host's counters (observe/rapl.h, observe/nvml.h), and at the
// end the hosts are added up. A job that shares its hosts pays for its neighbours, too: what is measured is the hosts.
// A host that cannot be read makes the job's sum null.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "observe/nvml.h"
#include "observe/observers.h"
#include "observe/rapl.h"
#include "port/communicator.h"

namespace convoy {

struct EnergySources {
  std::filesystem::path powercap = "/sys/class/powercap";
  std::string nvml = "libnvidia-ml.so.1";
};

class EnergyMeter final : public Meter {
 public:
  EnergyMeter(Communicator& comm, EnergySources sources);
  void start() override;
  void sample() override;
  Energy stop() override;

 private:
  Communicator& comm_;
  EnergySources sources_;
  std::unique_ptr<Rapl> rapl_;  // on the first rank of a host
  std::unique_ptr<Nvml> nvml_;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace convoy
