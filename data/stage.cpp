#include "data/stage.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <set>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "data/manifest.h"
#include "data/parallel.h"
#include "data/verify.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

// This rank among those of its host.
struct Neighbours {
  int rank = 0, count = 0;
  int64_t hosts = 0;
};

Neighbours neighbours(Communicator& comm, const std::vector<std::string>& hosts) {
  const auto mine = static_cast<std::ptrdiff_t>(comm.rank());
  const std::string& here = hosts[static_cast<size_t>(mine)];
  return {.rank = static_cast<int>(std::count(hosts.begin(), hosts.begin() + mine, here)),
          .count = static_cast<int>(std::ranges::count(hosts, here)),
          .hosts = static_cast<int64_t>(std::set(hosts.begin(), hosts.end()).size())};
}

// What cannot be read is not whole.
bool whole(const fs::path& path, const ShardEntry& shard) {
  try {
    return fs::exists(path) && fs::file_size(path) == shard.bytes && file_digest(path) == shard.digest;
  } catch (const std::exception&) {
    return false;
  }
}

// Onto the storage and out of memory, so that what is read next comes from there.
void settle(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 || ::fsync(descriptor) != 0) {
    const int error = errno;
    if (descriptor >= 0) ::close(descriptor);
    fail_errno(error, "cannot write " + path.string());
  }
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  ::close(descriptor);
}

struct Partial {  // gone at the end, unless it has got its name
  fs::path path;
  ~Partial() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
};

void copy_checked(const fs::path& from, const fs::path& to, const ShardEntry& shard, const std::string& who) {
  const Partial partial{
      fmt::format("{}.partial-{}", to.string(), who)};  // nodes may share the target unawares
  std::error_code error;
  fs::copy_file(from, partial.path, fs::copy_options::overwrite_existing, error);
  if (error) fail_errno(error.value(), fmt::format("cannot copy {} to {}", from.string(), to.string()));
  settle(partial.path);
  if (!whole(partial.path, shard)) {
    require(whole(from, shard), "{} is not as it was packed: `convoy verify {}` says what is damaged",
            from.string(), from.parent_path().string());
    fail("{} came out damaged where {} is whole: check that storage, and stage again", to.string(),
         from.string());
  }
  publish(partial.path, to);
}

void require_room(const fs::path& folder, uint64_t bytes) {
  const uint64_t free = fs::space(folder).available;
  require(bytes <= free, Exit::temporary,
          "{} has {} free and {} are to be copied there: make room, or stage elsewhere", folder.string(),
          human_bytes(free), human_bytes(bytes));
}

}  // namespace

StageReport stage(const StageOptions& options, Communicator& comm, const Log& log) {
  const auto begin = std::chrono::steady_clock::now();
  const Manifest manifest = read_manifest(options.from);
  const std::vector<std::string> hosts = comm.gather(comm.host());
  const Neighbours here = neighbours(comm, hosts);
  fs::create_directories(options.to);
  require(!fs::equivalent(options.from, options.to), Exit::usage,
          "{} is the dataset itself: stage it to another folder, on the node's own storage",
          options.to.string());
  if (const fs::path there = options.to / manifest_name; fs::exists(there))
    require(read_manifest(options.to).fingerprint == manifest.fingerprint, Exit::usage,
            "{} holds another dataset than {}: stage to another folder", options.to.string(),
            options.from.string());

  std::vector<const ShardEntry*> mine;
  for (size_t i = 0; i < manifest.shards.size(); ++i)
    if (static_cast<int>(i % static_cast<size_t>(here.count)) == here.rank)
      mine.push_back(&manifest.shards[i]);
  const int threads = thread_count(options.threads);
  const auto each = [&](const auto& body) { parallel_for(static_cast<int64_t>(mine.size()), threads, body); };

  std::vector<char> there(mine.size());
  each([&](int64_t i, int) {
    const auto index = static_cast<size_t>(i);
    there[index] = whole(options.to / mine[index]->file, *mine[index]);
  });
  std::array<int64_t, 3> done{};  // shards copied and kept, bytes
  for (size_t i = 0; i < mine.size(); ++i) {
    ++done[there[i] ? 1 : 0];
    if (!there[i]) done[2] += static_cast<int64_t>(mine[i]->bytes);
  }
  // All ranks of this host together, and before any of them has begun to fill the place.
  const std::vector<std::string> wanted = comm.gather(fmt::format("{}", done[2]));
  uint64_t of_host = 0;
  for (size_t rank = 0; rank < hosts.size(); ++rank)
    if (hosts[rank] == comm.host()) of_host += std::stoull(wanted[rank]);
  require_room(options.to, of_host);
  comm.barrier();
  log.detail("{} of this rank's {} shards are to be copied to {}", done[0], mine.size(), options.to.string());
  each([&](int64_t i, int) {
    const auto index = static_cast<size_t>(i);
    const ShardEntry& shard = *mine[index];
    if (!there[index])
      copy_checked(options.from / shard.file, options.to / shard.file, shard,
                   fmt::format("{}-{}", comm.host(), comm.rank()));
  });
  comm.barrier();  // all shards of this node are there
  if (here.rank == 0) {
    for (const char* name : {quarantine_name, manifest_name})
      if (fs::exists(options.from / name)) replace_file(options.to / name, read_text(options.from / name));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  comm.sum(done);
  StageReport report{.nodes = here.hosts,
                     .shards = static_cast<int64_t>(manifest.shards.size()),
                     .copied = done[0],
                     .kept = done[1],
                     .bytes = static_cast<uint64_t>(done[2])};
  for (const std::string& other : comm.gather(fmt::format("{}", seconds)))
    report.seconds = std::max(report.seconds, std::stod(other));
  return report;
}

}  // namespace convoy
