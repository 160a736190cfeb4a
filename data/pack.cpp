#include "data/pack.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "data/broadcast.h"
#include "data/pack_finish.h"
#include "data/pack_folder.h"
#include "data/pack_plan.h"
#include "data/pack_shard.h"
#include "data/source.h"

namespace convoy {

const char* name_of(Jpegs jpegs) {
  return jpegs == Jpegs::coefficients      ? "coefficients"
         : jpegs == Jpegs::restart_markers ? "restart markers"
                                           : "kept";
}
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Bad images, and they are not to be quarantined: no dataset.json. The shards that have none stay: a pack that
// quarantines takes them over.
[[noreturn]] void refuse(const PackOptions& options, const PackPlan& plan,
                         const std::vector<ShardOutcome>& outcomes) {
  std::string list;
  size_t count = 0;
  for (const auto& outcome : outcomes)
    for (const auto& bad : outcome.bad)
      if (++count <= 10) list += fmt::format("\n  {} ({}): {}", bad.name, bad.where, bad.reason);
  if (count > 10) list += fmt::format("\n  and {} more", count - 10);
  fail(
      "{}: {} of {} images cannot be decoded: leave them out with --on-bad quarantine ({} of {} shards are "
      "finished in {} and need not be made again), or repair or remove them and pack into an empty folder:{}",
      options.source.string(), count, plan.order.size(),
      std::count_if(outcomes.begin(), outcomes.end(), [](const auto& o) { return o.written; }), plan.shards,
      options.out.string(), list);
}

}  // namespace

PackForecast forecast_pack(const PackOptions& options, const Log& log) {
  const Source source = list_source(options, log);
  const PackPlan plan = plan_pack(source, options);
  check_folder(options.out, plan, log);
  PackForecast forecast{.source = source.description,
                        .images = static_cast<int64_t>(source.images.size()),
                        .classes = static_cast<int64_t>(source.classes.size()),
                        .shards = plan.shards,
                        .skipped = source.skipped,
                        .image_bytes = 0,
                        .histogram = std::vector<int64_t>(source.classes.size())};
  for (const SourceImage& image : source.images) {
    forecast.image_bytes += image.length;
    ++forecast.histogram[static_cast<size_t>(image.label)];
  }
  return forecast;
}

PackReport pack(const PackOptions& options, Communicator& comm, const Log& log) {
  const auto start = Clock::now();
  std::string listed;
  if (comm.rank() == 0) listed = to_bytes(list_source(options, log));
  broadcast_text(comm, listed);
  const Source source = source_from_bytes(listed);
  listed = {};
  const PackPlan plan = plan_pack(source, options);
  std::optional<FolderLock> lock;
  if (comm.rank() == 0) lock.emplace(prepare_folder(options.out, plan, log));
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
  if (any_bad && !options.quarantine) refuse(options, plan, outcomes);
  PackReport report = finish_pack(options, plan, source, outcomes, comm, log);
  report.seconds = since(start);
  return report;
}

}  // namespace convoy
