#include "backends/cudnn/plan_cache.h"

#include <fmt/format.h>

#include <cstdlib>
#include <random>
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
  digest.add(device_ + "; " + operation + "\n");
  return folder_ / (digest.hex() + ".plan");
}

std::string PlanCache::heading(const std::string& operation, const std::string& plan) const {
  Digest digest;
  digest.add(plan);
  return device_ + "; " + operation + "\n" + digest.hex() + "\n";
}

std::string PlanCache::on_disk(const std::string& operation) const {
  std::error_code ignored;
  if (folder_.empty() || !fs::exists(file_of(operation), ignored)) return "";
  try {
    const std::string text = read_text(file_of(operation));
    const size_t length = heading(operation, "").size();
    if (text.size() <= length) return "";
    std::string plan = text.substr(length);
    return text.starts_with(heading(operation, plan)) ? plan : "";
  } catch (const Error&) {
    return "";
  }
}

std::string PlanCache::find(const std::string& operation) {
  if (const auto at = known_.find(operation); at != known_.end()) return at->second;
  std::string plan = on_disk(operation);
  if (!plan.empty()) known_[operation] = plan;
  return plan;
}

std::string PlanCache::keep(const std::string& operation, const std::string& plan) {
  std::string counts = plan;
  if (!folder_.empty() && !plan.empty()) try {
      fs::path mine = file_of(operation);
      mine += fmt::format(".{:08x}{:08x}", std::random_device{}(), std::random_device{}());
      replace_file(mine, heading(operation, plan) + plan);
      std::error_code exists, ignored;
      fs::create_hard_link(mine, file_of(operation), exists);
      if (exists) counts = on_disk(operation);  // of another process, or damaged, or links are not known here
      fs::remove(mine, ignored);
      if (counts.empty()) {
        replace_file(file_of(operation), heading(operation, plan) + plan);
        counts = on_disk(operation);  // another process may have done the same
        if (counts.empty()) counts = plan;
      }
    } catch (const Error&) {
      folder_.clear();  // read-only, or full: this process has what it needs
    }
  return known_[operation] = counts;
}

void PlanCache::forget(const std::string& operation) {
  known_.erase(operation);
  std::error_code ignored;
  if (!folder_.empty()) fs::remove(file_of(operation), ignored);
}

}  // namespace convoy::cudnn
