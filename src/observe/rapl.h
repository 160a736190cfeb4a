// Energy of a host's processors and memory from the kernel's powercap files (intel-rapl; AMD's have the same names):
//   ROOT/intel-rapl:0/{name, energy_uj, max_energy_range_uj}     a package
//   ROOT/intel-rapl:0:0/...                                      a part of it: "dram" is counted beside, others are in it
// The counters wrap at max_energy_range_uj, in minutes on a busy server: sample() must be called more often. Platform
// counters (psys) hold the packages already and are left out, and so is intel-rapl-mmio, the same counters by another way.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace convoy {

class Rapl {
 public:
  explicit Rapl(const std::filesystem::path& root = "/sys/class/powercap");
  void sample();
  // Since the first reading; null where any counter cannot be read, and reason() says why.
  std::optional<double> joules() const;
  const std::string& reason() const { return reason_; }

 private:
  struct Counter {
    std::filesystem::path file;
    uint64_t range_uj = 0, last_uj = 0;
  };
  std::vector<Counter> counters_;
  uint64_t used_uj_ = 0;
  std::string reason_;
};

}  // namespace convoy
