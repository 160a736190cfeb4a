#include "data/pack_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "data/manifest.h"
#include "data/shard.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

constexpr const char* lock_name = ".convoy-pack.lock";

bool is_piece(const std::string& name) {
  static const std::regex pieces(
      R"(shard-\d{5}-of-\d{5}\.h5(\.tmp)?|(dataset\.json|quarantine\.tsv)(\.tmp\.\d+)?|\.convoy-pack\.lock)");
  return std::regex_match(name, pieces);
}

bool is_wanted(const std::string& name, const PackPlan& plan) {
  return name.ends_with(shard_name(0, plan.shards).substr(11));  // "-of-00008.h5"
}

// Every shard and every dataset.json carries the plan's digest in its first bytes, also when the rest is lost.
bool carries(const fs::path& path, const PackPlan& plan) {
  const File file(path, File::Mode::read);
  std::string head(std::min<uint64_t>(file.size(), 64 << 10), '\0');
  file.read_at(0, head.data(), head.size());
  return head.find(plan.digest) != std::string::npos;
}

// True if the folder is a dataset of this plan, whose files are then known by name; false if it has no whole dataset.json.
bool holds_dataset(const fs::path& out, const PackPlan& plan, const Log& log) {
  if (!fs::exists(out / manifest_name)) return false;
  Manifest found;
  try {
    found = read_manifest(out);
  } catch (const Error& damage) {
    log.warn("{}: it is made again", damage.what());
    return false;
  }
  require(
      found.plan == plan.digest,
      "{} holds another dataset (other images, classes, seed, shard count, restart markers or coefficients): choose another --out "
      "or remove that folder",
      out.string());
  return true;
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder, const Log& log) : path_(folder / lock_name) {
  while (true) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail_errno(errno, "cannot open " + path_.string());
    const bool locked = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
    const int reason = errno;
    struct stat status {};
    if (locked && ::fstat(descriptor_, &status) == 0 && status.st_nlink > 0) return;
    if (!locked && reason != EWOULDBLOCK && reason != EINTR) {
      log.warn("{} cannot be locked on this file system: see to it that no other pack writes to this folder",
               path_.string());
      return;
    }
    ::close(std::exchange(descriptor_, -1));
    if (!locked && reason == EWOULDBLOCK)
      fail(Exit::temporary,
           "another `convoy pack` writes to {} (it holds {}): wait for its end or choose another --out",
           folder.string(), path_.string());
  }  // its last holder has just removed it: take a new one
}

FolderLock::~FolderLock() {
  if (descriptor_ < 0) return;
  ::unlink(path_.c_str());  // while it is held, so that nobody's but this one goes
  ::close(descriptor_);
}

void check_folder(const fs::path& out, const PackPlan& plan, const Log& log) {
  require(!out.empty(), Exit::usage, "--out is missing: say where the dataset shall go");
  if (!fs::exists(out)) return;
  const std::vector<fs::directory_entry> entries{fs::directory_iterator(out), fs::directory_iterator{}};
  for (const auto& entry : entries)
    if (const std::string name = entry.path().filename().string(); !is_piece(name))
      fail("{} holds {}, which is no part of a dataset: choose an empty folder for --out", out.string(),
           name);
  const bool whole = holds_dataset(out, plan, log);
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    const bool finished = name.ends_with(".h5") || name == manifest_name;
    const bool known = whole && (name == manifest_name || is_wanted(name, plan));
    if (finished && !known && !carries(entry.path(), plan))
      fail(
          "{} holds {} of another pack (other images, classes, seed, shard count, restart markers or coefficients) or damaged: choose "
          "another --out, or remove it if nobody needs it",
          out.string(), name);
  }
}

FolderLock prepare_folder(const fs::path& out, const PackPlan& plan, const Log& log) {
  require(!out.empty(), Exit::usage, "--out is missing: say where the dataset shall go");
  std::error_code error;
  fs::create_directories(out, error);
  if (error) fail_errno(error.value(), "cannot create the folder " + out.string());
  FolderLock lock(out, log);
  check_folder(out, plan, log);
  const std::vector<fs::directory_entry> entries{fs::directory_iterator(out), fs::directory_iterator{}};
  for (const auto& entry : entries)
    if (const std::string name = entry.path().filename().string(); name.find(".tmp") != std::string::npos) {
      log.info("{} is left from an interrupted pack and removed", entry.path().string());
      fs::remove(entry.path());
    }
  return lock;
}

}  // namespace convoy
