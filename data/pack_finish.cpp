#include "data/pack_finish.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "data/broadcast.h"
#include "data/manifest.h"
#include "data/shard.h"

namespace convoy {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BadImage, name, where, reason)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ShardOutcome, shard, kept, written, bytes, samples, rewritten, digest, bad)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PackReport, images, classes, shards, kept_shards, image_bytes, shard_bytes,
                                   warnings, images_with_warnings, skipped, rewritten, duplicates,
                                   duplicate_examples, quarantined, histogram, fingerprint)

namespace {

using Json = nlohmann::json;

// Names are bytes of any encoding; between ranks they travel as JSON's binary kin, which takes them as they are.
template <class T>
std::string to_wire(const T& value) {
  const auto bytes = Json::to_msgpack(Json(value));
  return {bytes.begin(), bytes.end()};
}

template <class T>
T from_wire(const std::string& bytes) {
  return Json::from_msgpack(bytes.begin(), bytes.end()).template get<T>();
}

// Reads the finished shards in order: totals, class counts, equal images and the fingerprint.
class Census {
 public:
  Census(const Source& source, PackReport& report) : source_(source), report_(report) {
    report_.histogram.assign(source.classes.wnids.size(), 0);
    report_.classes = source.classes.size();
    for (size_t i = 0; i < source.classes.wnids.size(); ++i)
      digest_.add(source.classes.wnids[i] + "\t" + source.classes.names[i] + "\n");
  }

  void add(const Shard& shard) {
    for (const auto& row : shard.rows) {
      ++report_.images;
      ++report_.histogram[static_cast<size_t>(row.label)];
      report_.image_bytes += row.length;
      report_.warnings += row.warnings;
      report_.images_with_warnings += row.warnings > 0;
      digest_.add(fmt::format("{}\t{}\t{:016x}\t{}\n", row.label, row.length, row.xxh3, row.name));
      note_duplicate(row);
    }
  }

  void finish() { report_.fingerprint = digest_.hex(); }

 private:
  void note_duplicate(const ShardRow& row) {
    const auto place =
        std::lower_bound(source_.images.begin(), source_.images.end(), row.name,
                         [](const auto& image, const auto& name) { return image.name < name; });
    const auto index = static_cast<uint32_t>(place - source_.images.begin());
    const auto [first, is_new] = seen_.emplace(row.xxh3, index);
    if (is_new) return;
    ++report_.duplicates;
    if (report_.duplicate_examples.size() < 10)
      report_.duplicate_examples.push_back(row.name + " equals " + source_.images[first->second].name);
  }

  const Source& source_;
  PackReport& report_;
  Digest digest_;
  std::unordered_map<uint64_t, uint32_t> seen_;
};

// Its digest; "" where nothing is to be written.
std::string write_quarantine(const PackOptions& options, const std::vector<BadImage>& bad) {
  const auto path = options.out / quarantine_name;
  if (bad.empty()) {
    std::filesystem::remove(path);
    return "";
  }
  std::string text = "name\twhere\treason\n";
  for (const auto& image : bad) text += image.name + "\t" + image.where + "\t" + image.reason + "\n";
  replace_file(path, text);
  Digest digest;
  digest.add(text);
  return digest.hex();
}

void complain(const PackReport& report, const Source& source, const PackOptions& options, const Log& log) {
  if (report.images_with_warnings > 0)
    log.info(
        "{} images decode with {} warnings (damage that leaves an image); the column `warnings` names them",
        report.images_with_warnings, report.warnings);
  if (report.duplicates > 0) {
    std::string list;
    for (const auto& example : report.duplicate_examples) list += "\n  " + example;
    log.warn("{} images have the same bytes as another{}:{}{}", report.duplicates,
             options.jpegs == Jpegs::kept ? "" : ", as they lie in the shards", list,
             report.duplicates > 10 ? "\n  ..." : "");
  }
  if (!report.quarantined.empty())
    log.warn("{} bad images are left out; {} lists them with the reason", report.quarantined.size(),
             quarantine_name);
  const auto empty = std::find(report.histogram.begin(), report.histogram.end(), 0);
  if (empty != report.histogram.end())
    log.warn("{} of {} classes have no image; the first is {}", std::count(empty, report.histogram.end(), 0),
             report.classes, source.classes.wnids[static_cast<size_t>(empty - report.histogram.begin())]);
}

}  // namespace

std::vector<ShardOutcome> gather_outcomes(const std::vector<ShardOutcome>& mine, int shards,
                                          Communicator& comm) {
  std::vector<ShardOutcome> all(static_cast<size_t>(shards));
  for (const auto& text : comm.gather(to_wire(mine)))
    for (auto& outcome : from_wire<std::vector<ShardOutcome>>(text)) {
      const auto shard = static_cast<size_t>(outcome.shard);
      all[shard] = std::move(outcome);
    }
  return all;
}

PackReport finish_pack(const PackOptions& options, const PackPlan& plan, const Source& source,
                       const std::vector<ShardOutcome>& outcomes, Communicator& comm, const Log& log) {
  std::string wire;
  if (comm.rank() == 0) {
    PackReport report;
    Manifest manifest;
    Census census(source, report);
    for (const auto& outcome : outcomes) {
      const std::string name = shard_name(outcome.shard, plan.shards);
      census.add(read_shard(options.out / name));
      manifest.shards.push_back({name, outcome.bytes, outcome.samples, outcome.digest});
      report.shard_bytes += outcome.bytes;
      report.kept_shards += outcome.kept;
      report.rewritten += outcome.rewritten;
      report.quarantined.insert(report.quarantined.end(), outcome.bad.begin(), outcome.bad.end());
    }
    census.finish();
    std::sort(report.quarantined.begin(), report.quarantined.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    report.shards = plan.shards;
    report.skipped = source.skipped;
    manifest.quarantine_digest = write_quarantine(options, report.quarantined);
    require(report.images > 0, "{}: not one image can be decoded: see {}", options.source.string(),
            quarantine_name);
    complain(report, source, options, log);
    manifest.samples = report.images;
    manifest.image_bytes = report.image_bytes;
    manifest.seed = plan.seed;
    manifest.warnings = report.warnings;
    manifest.quarantined = static_cast<int64_t>(report.quarantined.size());
    manifest.skipped = report.skipped;
    manifest.duplicates = report.duplicates;
    if (options.jpegs != Jpegs::kept) {
      manifest.jpegs = name_of(options.jpegs);
      manifest.rewritten = report.rewritten;
    }
    manifest.source = source.description;
    manifest.plan = plan.digest;
    manifest.fingerprint = report.fingerprint;
    manifest.classes = source.classes;
    manifest.histogram = report.histogram;
    replace_file(options.out / manifest_name, manifest_text(manifest));
    wire = to_wire(report);
  }
  broadcast_text(comm, wire);
  return from_wire<PackReport>(wire);
}

}  // namespace convoy
