#include "data/pack.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "data/broadcast.h"
#include "data/manifest.h"
#include "data/pack_finish.h"
#include "data/pack_plan.h"
#include "data/pack_shard.h"
#include "data/shard.h"
#include "data/source.h"

namespace convoy {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

bool is_ours(const std::string& name) {
  return name == manifest_name || name == quarantine_name || name.starts_with("shard-") ||
         name.starts_with(std::string(manifest_name) + ".tmp") ||
         name.starts_with(std::string(quarantine_name) + ".tmp");
}

// Makes the folder, or checks that what is in it is an earlier run of this very pack; stale pieces are removed.
// True if the folder holds a whole dataset already.
bool prepare_folder(const PackOptions& options, const PackPlan& plan, const Log& log) {
  const fs::path& out = options.out;
  require(!out.empty(), Exit::usage, "--out is missing: say where the dataset shall go");
  std::error_code error;
  fs::create_directories(out, error);
  if (error) fail_errno(error.value(), "cannot create the folder " + out.string());
  const bool whole = fs::exists(out / manifest_name);
  if (whole) {
    std::string found;
    try {
      found = read_manifest(out).plan;
    } catch (const Error& damage) {
      log.warn("{}: it is made again", damage.what());
      found = plan.digest;
    }
    require(found == plan.digest,
            "{} holds another dataset (other images, classes, seed or shard count): choose another --out "
            "or remove that folder",
            out.string());
  }
  for (const auto& entry : fs::directory_iterator(out))
    require(is_ours(entry.path().filename().string()),
            "{} holds {}, which is no part of a dataset: choose an empty folder for "
            "--out",
            out.string(), entry.path().filename().string());
  std::vector<std::string> wanted;
  for (int shard = 0; shard < plan.shards; ++shard) wanted.push_back(shard_name(shard, plan.shards));
  for (const auto& entry : fs::directory_iterator(out)) {
    const std::string name = entry.path().filename().string();
    if (name == manifest_name || name == quarantine_name ||
        std::binary_search(wanted.begin(), wanted.end(), name))
      continue;
    log.info("{} is left from an interrupted pack and removed", entry.path().string());
    fs::remove(entry.path());
  }
  return whole;
}

// Bad images, and they are not to be quarantined: nothing remains, and the message says which.
[[noreturn]] void refuse(const PackOptions& options, const PackPlan& plan,
                         const std::vector<ShardOutcome>& outcomes, bool keep_folder, Communicator& comm) {
  comm.barrier();
  if (comm.rank() == 0 && !keep_folder) {
    for (int shard = 0; shard < plan.shards; ++shard)
      fs::remove(options.out / shard_name(shard, plan.shards));
    fs::remove(options.out / manifest_name);
    fs::remove(options.out / quarantine_name);
    std::error_code not_empty;
    fs::remove(options.out, not_empty);
  }
  comm.barrier();
  std::string list;
  size_t count = 0;
  for (const auto& outcome : outcomes)
    for (const auto& bad : outcome.bad)
      if (++count <= 10) list += fmt::format("\n  {} ({}): {}", bad.name, bad.where, bad.reason);
  if (count > 10) list += fmt::format("\n  and {} more", count - 10);
  fail(
      "{}: {} of {} images cannot be decoded, so nothing was packed: repair or remove them, or leave them "
      "out with --on-bad "
      "quarantine:{}",
      options.source.string(), count, plan.order.size(), list);
}

}  // namespace

PackReport pack(const PackOptions& options, Communicator& comm, const Log& log) {
  const auto start = Clock::now();
  std::string listed;
  if (comm.rank() == 0) listed = to_bytes(list_source(options, log));
  broadcast_text(comm, listed);
  const Source source = source_from_bytes(listed);
  listed = {};
  const PackPlan plan = plan_pack(source, options.shards, options.seed);
  const bool was_whole = comm.rank() == 0 && prepare_folder(options, plan, log);
  comm.barrier();

  SourceReader reader(source);
  std::vector<ShardOutcome> mine;
  auto spoken = start;
  size_t done = 0;
  for (int shard = comm.rank(); shard < plan.shards; shard += comm.size()) {
    mine.push_back(make_shard(shard, plan, source, reader, options, log));
    done += plan.begin(shard + 1) - plan.begin(shard);
    if (since(spoken) < 5 && shard + comm.size() < plan.shards) continue;
    spoken = Clock::now();
    const double rate = static_cast<double>(done) / since(start);
    const double left = static_cast<double>(plan.order.size()) / comm.size() - static_cast<double>(done);
    log.info("packed {} of {} shards, {:.0f} images/s on this rank of {}, {} left", mine.size(),
             (plan.shards - comm.rank() + comm.size() - 1) / comm.size(), rate, comm.size(),
             human_seconds(std::max(0.0, left / rate)));
  }

  std::vector<ShardOutcome> outcomes = gather_outcomes(mine, plan.shards, comm);
  const bool any_bad =
      std::any_of(outcomes.begin(), outcomes.end(), [](const auto& o) { return !o.bad.empty(); });
  if (any_bad && !options.quarantine) refuse(options, plan, outcomes, was_whole, comm);
  PackReport report = finish_pack(options, plan, source, outcomes, comm, log);
  report.seconds = since(start);
  return report;
}

}  // namespace convoy
