#include "observe/rapl.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace convoy {
namespace {

namespace fs = std::filesystem;

std::string word(const fs::path& path) {
  std::string text;
  std::ifstream(path) >> text;
  return text;
}

std::optional<uint64_t> number(const fs::path& path) {
  const std::string text = word(path);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return std::strtoull(text.c_str(), nullptr, 10);
}

// "intel-rapl:0" is a package, "intel-rapl:0:1" a part of one; "intel-rapl-mmio:0" and "intel-rapl" are neither.
bool counted(const std::string& folder, const std::string& name) {
  if (!folder.starts_with("intel-rapl:")) return false;
  const auto colons = std::count(folder.begin(), folder.end(), ':');
  return colons == 1 ? name.starts_with("package") : name == "dram";
}

}  // namespace

Rapl::Rapl(const fs::path& root) {
  std::error_code missing;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, missing)) {
    if (!counted(entry.path().filename().string(), word(entry.path() / "name"))) continue;
    const fs::path file = entry.path() / "energy_uj";
    errno = 0;
    const auto now = number(file);
    const int error = errno;
    const auto range = number(entry.path() / "max_energy_range_uj");
    if (!now || !range) {
      reason_ =
          fmt::format("{} cannot be read ({}): the kernel shows it to root alone; ask for read permission",
                      file.string(), error != 0 ? std::strerror(error) : "no number in it");
      return;
    }
    counters_.push_back({file, *range, *now});
  }
  if (counters_.empty()) reason_ = fmt::format("no intel-rapl package in {}", root.string());
}

void Rapl::sample() {
  for (Counter& counter : counters_) {
    const auto now = number(counter.file);
    if (!now) {
      if (reason_.empty()) reason_ = fmt::format("{} could not be read any more", counter.file.string());
      continue;
    }
    used_uj_ += *now >= counter.last_uj ? *now - counter.last_uj : *now + counter.range_uj - counter.last_uj;
    counter.last_uj = *now;
  }
}

std::optional<double> Rapl::joules() const {
  if (!reason_.empty()) return std::nullopt;
  return static_cast<double>(used_uj_) * 1e-6;
}

}  // namespace convoy
