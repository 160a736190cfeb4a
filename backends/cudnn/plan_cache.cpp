#include "backends/cudnn/plan_cache.h"

#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"

namespace convoy::cudnn {
namespace {

namespace fs = std::filesystem;

fs::path from_environment(const char* name, const char* below) {
  const char* folder = std::getenv(name);
  return folder == nullptr || *folder == '\0' ? fs::path() : fs::path(folder) / below;
}

}  // namespace

fs::path plan_folder() {
  for (const fs::path& folder :
       {from_environment("CONVOY_CACHE", "plans"), from_environment("XDG_CACHE_HOME", "convoy/plans"),
        from_environment("HOME", ".cache/convoy/plans")})
    if (!folder.empty()) return folder;
  return {};
}

PlanCache::PlanCache(fs::path folder, std::string device)
    : folder_(std::move(folder)), device_(std::move(device)) {
  std::error_code failed;
  if (!folder_.empty()) fs::create_directories(folder_, failed);
  if (failed) folder_.clear();
}

fs::path PlanCache::file_of(const std::string& operation) const {
  Digest digest;
  digest.add(heading(operation));
  return folder_ / (digest.hex() + ".plan");
}

std::string PlanCache::heading(const std::string& operation) const {
  return device_ + "; " + operation + "\n";
}

std::string PlanCache::find(const std::string& operation) {
  if (const auto at = known_.find(operation); at != known_.end()) return at->second;
  std::error_code ignored;
  if (folder_.empty() || !fs::exists(file_of(operation), ignored)) return "";
  try {
    const std::string text = read_text(file_of(operation)), first = heading(operation);
    if (!text.starts_with(first)) return "";
    return known_[operation] = text.substr(first.size());
  } catch (const Error&) {
    return "";
  }
}

void PlanCache::keep(const std::string& operation, const std::string& plan) {
  known_[operation] = plan;
  if (folder_.empty() || plan.empty()) return;
  try {
    replace_file(file_of(operation), heading(operation) + plan);
  } catch (const Error&) {
    folder_.clear();  // read-only, or full: this process has what it needs
  }
}

}  // namespace convoy::cudnn
